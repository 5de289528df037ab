/** WGSL text as tokens. */

export interface Token {
  readonly kind: "name" | "number" | "symbol" | "end";
  readonly text: string;
  /** Whether the next token follows without a space: `>` `>` of a template and `>>` of a shift are the same until the parser looks. */
  readonly glued: boolean;
  readonly line: number;
}

const spaces = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const patterns = [
  ["name", /[A-Za-z_]\w*/y],
  ["number", /0[xX][\da-fA-F]+[iu]?|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[iufh]?/y],
  // No symbol that begins with `>` but that one.
  ["symbol", /<<=|->|\+\+|--|&&|\|\||<<|<=|[-+*/%&|^=!]=|[-+*/%&|^=!<>~(){}[\],;:.@]/y],
] as const;

export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = endOf(spaces, text, 0); at < text.length; ) {
    const { kind, end } = nextToken(text, at);
    const after = endOf(spaces, text, end);
    tokens.push({ kind, text: text.slice(at, end), glued: after === end, line: lineOf(text, at) });
    at = after;
  }
  return tokens;
}

function nextToken(text: string, at: number): { kind: Token["kind"]; end: number } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return { kind, end: pattern.lastIndex };
  }
  throw new Error(`line ${lineOf(text, at)}: no token begins with ${text[at]}`);
}

/** Where everything that matches from `at` on ends. */
function endOf(pattern: RegExp, text: string, at: number): number {
  let end = at;
  for (pattern.lastIndex = at; pattern.test(text); ) end = pattern.lastIndex;
  return end;
}

const lineOf = (text: string, at: number): number => text.slice(0, at).split("\n").length;
