/** Expressions and types, by precedence. */
import type { Expression, Literal, TypeName } from "./syntax.js";
import type { TokenStream } from "./token-stream.js";

const precedence: Readonly<Record<string, number>> = {
  ...{ "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5 },
  ...{ "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7 },
  ...{ "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10 },
};
/** In a template's list `>` ends the list. */
const aboveComparison = 8;

const templates = /^(vec[234]|array|ptr|atomic|bitcast)$/;

export function expression(tokens: TokenStream, lowest = 1): Expression {
  let left = unary(tokens);
  for (;;) {
    const operator = tokens.operator();
    const own = precedence[operator];
    // Of a template's list `>>` is two ends.
    if (own === undefined || own < lowest || (lowest === aboveComparison && operator === ">>")) return left;
    tokens.takeOperator(operator);
    left = { kind: "binary", operator, left, right: expression(tokens, own + 1) };
  }
}

function unary(tokens: TokenStream): Expression {
  const { text, kind } = tokens.next;
  if (kind !== "symbol" || !/^[-!~*&]$/.test(text)) return postfix(tokens, primary(tokens));
  tokens.take();
  return { kind: "unary", operator: text, operand: unary(tokens) };
}

function postfix(tokens: TokenStream, of: Expression): Expression {
  if (tokens.accept(".")) return postfix(tokens, { kind: "member", of, name: tokens.name() });
  if (!tokens.accept("[")) return of;
  const index = expression(tokens);
  tokens.expect("]");
  return postfix(tokens, { kind: "index", of, index });
}

function primary(tokens: TokenStream): Expression {
  if (tokens.next.kind === "number") return number(tokens.take().text);
  if (tokens.accept("(")) {
    const inner = expression(tokens);
    tokens.expect(")");
    return inner;
  }
  if (tokens.accept("true")) return { kind: "literal", value: true, type: "bool" };
  if (tokens.accept("false")) return { kind: "literal", value: false, type: "bool" };
  const callee = typeName(tokens);
  if (!tokens.accept("(")) return { kind: "name", name: callee.name };
  return { kind: "call", callee, args: tokens.list(")", () => expression(tokens)) };
}

const suffixes: Readonly<Record<string, Literal>> = { i: "i32", u: "u32", f: "f32", h: "f16" };

function number(text: string): Expression {
  const isHexadecimal = /^0x/i.test(text);
  const [, digits, suffix] = (isHexadecimal ? /^(.*?)([iu]?)$/ : /^(.*?)([iufh]?)$/).exec(text)!;
  const isFloat = !isHexadecimal && /[.eE]/.test(digits!);
  return {
    kind: "literal",
    value: Number(digits),
    type: suffixes[suffix!] ?? (isFloat ? "abstract-float" : "abstract-int"),
  };
}

export function typeName(tokens: TokenStream): TypeName {
  const name = tokens.name();
  if (!templates.test(name) || !tokens.accept("<")) return { name, parameters: [] };
  return { name, parameters: tokens.list(">", () => parameter(tokens)) };
}

function parameter(tokens: TokenStream): TypeName | Expression {
  return tokens.next.kind === "name" ? typeOrConstant(tokens) : expression(tokens, aboveComparison);
}

/** A name may begin an expression: `array<u32, count * 2u>`. */
function typeOrConstant(tokens: TokenStream): TypeName | Expression {
  const type = typeName(tokens);
  const operator = tokens.operator();
  if (type.parameters.length > 0 || (precedence[operator] ?? 0) <= aboveComparison) return type;
  tokens.takeOperator(operator);
  const left: Expression = { kind: "name", name: type.name };
  return { kind: "binary", operator, left, right: expression(tokens, aboveComparison) };
}
