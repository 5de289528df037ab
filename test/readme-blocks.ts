/** Taking a Markdown page apart: its fenced code blocks, and the lines of a shell block. */

export interface CodeBlock {
  /** The words after the fence: language first. */
  readonly info: readonly string[];
  readonly code: string;
  /** Line of the opening fence, counted from 1. */
  readonly line: number;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { fence: string; indent: number; info: string[]; line: number; lines: string[] } | undefined;
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const [, indent = "", fence, info = ""] = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(text) ?? [];
    if (!open && fence)
      open = { fence, indent: indent.length, info: info.trim().split(/\s+/), line: index + 1, lines: [] };
    else if (open && fence?.startsWith(open.fence) && info.trim() === "") {
      blocks.push({ info: open.info, code: open.lines.join("\n"), line: open.line });
      open = undefined;
    } else open?.lines.push(text.slice(0, open.indent).trim() === "" ? text.slice(open.indent) : text);
  }
  if (open) throw new Error(`The code block of line ${open.line} does not end.`);
  return blocks;
}

/** The commands of a shell block as words: comments dropped, lines that end in a backslash joined. */
export function shellCommands(code: string): string[][] {
  return code
    .replace(/\\\n/g, " ")
    .split("\n")
    .map(shellWords)
    .filter((words) => words.length > 0);
}

/** Words of one line; quotes group, `#` at the start of a word begins a comment. Anything cleverer is refused. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  for (const [, single, double, plain = ""] of line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    if (plain.startsWith("#")) break;
    if (/[|&;<>$`'"]/.test(plain)) throw new Error(`The README's shell lines are plain commands; this is not: ${line}`);
    words.push(single ?? double ?? plain);
  }
  return words;
}

/** The values of the comments `// → value`, in order. */
export function expectedOutput(code: string): string[] {
  return [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, value]) => value!.trim());
}

/** The first expected line that the output does not have at or after the place of the one before; undefined when all are there. */
export function firstMissing(expected: readonly string[], output: string): string | undefined {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  let from = 0;
  for (const value of expected) {
    const at = lines.indexOf(value, from);
    if (at < 0) return value;
    from = at + 1;
  }
  return undefined;
}
