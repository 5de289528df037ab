/** Statements. */
import { expression, typeName } from "./parse-expression.js";
import type { Attributes, Case, Expression, Statement, Variable } from "./syntax.js";
import type { TokenStream } from "./token-stream.js";

export function block(tokens: TokenStream): Statement {
  tokens.expect("{");
  const body: Statement[] = [];
  while (!tokens.accept("}")) body.push(...statement(tokens));
  return { kind: "block", body };
}

function statement(tokens: TokenStream): Statement[] {
  if (tokens.accept(";")) return [];
  switch (tokens.next.text) {
    case "{":
      return [block(tokens)];
    case "if":
      return [ifStatement(tokens)];
    case "for":
      return [forStatement(tokens)];
    case "while":
    case "loop":
      return [whileStatement(tokens)];
    case "switch":
      return [switchStatement(tokens)];
    default:
      return [ended(tokens, simple(tokens))];
  }
}

function ended(tokens: TokenStream, parsed: Statement): Statement {
  tokens.expect(";");
  return parsed;
}

/** What stands before a semicolon, or in the head of a loop. */
function simple(tokens: TokenStream): Statement {
  const { text } = tokens.next;
  if (text === "break" || text === "continue") return { kind: tokens.take().text as "break" | "continue" };
  if (tokens.accept("return"))
    return { kind: "return", value: tokens.next.text === ";" ? undefined : expression(tokens) };
  if (/^(let|const|var)$/.test(text)) return { kind: "variable", variable: variable(tokens, new Map()) };
  return assignmentOrCall(tokens);
}

export function variable(tokens: TokenStream, attributes: Attributes): Variable {
  const keyword = tokens.take().text as Variable["keyword"];
  const space = keyword === "var" && tokens.accept("<") ? tokens.list(">", () => tokens.name()) : [];
  const name = tokens.name();
  const type = tokens.accept(":") ? typeName(tokens) : undefined;
  const value = tokens.accept("=") ? expression(tokens) : undefined;
  return { keyword, name, type, value, space, attributes };
}

const one: Expression = { kind: "literal", value: 1, type: "abstract-int" };

function assignmentOrCall(tokens: TokenStream): Statement {
  const target = expression(tokens);
  const operator = tokens.operator();
  if (target.kind === "call" && operator === ";") return { kind: "call", call: target };
  tokens.takeOperator(operator);
  if (operator === "++" || operator === "--") return { kind: "assign", target, operator: operator[0]!, value: one };
  if (!operator.endsWith("=")) tokens.fail("expected an assignment");
  const isIgnored = target.kind === "name" && target.name === "_";
  return {
    kind: "assign",
    target: isIgnored ? undefined : target,
    operator: operator.slice(0, -1),
    value: expression(tokens),
  };
}

function ifStatement(tokens: TokenStream): Statement {
  tokens.expect("if");
  const condition = expression(tokens);
  const then = block(tokens);
  if (!tokens.accept("else")) return { kind: "if", condition, then, otherwise: undefined };
  const otherwise = tokens.next.text === "if" ? ifStatement(tokens) : block(tokens);
  return { kind: "if", condition, then, otherwise };
}

function forStatement(tokens: TokenStream): Statement {
  tokens.expect("for");
  tokens.expect("(");
  const first = tokens.accept(";") ? undefined : ended(tokens, simple(tokens));
  const condition = tokens.next.text === ";" ? undefined : expression(tokens);
  tokens.expect(";");
  const step = tokens.next.text === ")" ? undefined : simple(tokens);
  tokens.expect(")");
  return { kind: "for", first, condition, step, body: block(tokens) };
}

/** `loop` without `continuing`, which no kernel uses: that would be found as a name without a meaning. */
function whileStatement(tokens: TokenStream): Statement {
  const isEndless = tokens.take().text === "loop";
  const always: Expression = { kind: "literal", value: true, type: "bool" };
  return { kind: "while", condition: isEndless ? always : expression(tokens), body: block(tokens) };
}

function switchStatement(tokens: TokenStream): Statement {
  tokens.expect("switch");
  const on = expression(tokens);
  tokens.expect("{");
  const cases: Case[] = [];
  while (!tokens.accept("}")) cases.push(caseOf(tokens));
  return { kind: "switch", on, cases };
}

function caseOf(tokens: TokenStream): Case {
  const selectors: (Expression | undefined)[] = [];
  if (tokens.accept("default")) selectors.push(undefined);
  else {
    tokens.expect("case");
    do selectors.push(tokens.accept("default") ? undefined : expression(tokens));
    while (tokens.accept(",") && tokens.next.text !== ":" && tokens.next.text !== "{");
  }
  tokens.accept(":");
  return { selectors, body: block(tokens) };
}
