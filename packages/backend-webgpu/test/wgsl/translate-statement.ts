/** Statements as JavaScript. */
import { binary } from "./operators.js";
import { freshName, Scope, type Value } from "./scope.js";
import type { Case, Expression, Statement, Variable } from "./syntax.js";
import { argument, read, stored, translate, typeOf, zero } from "./translate-expression.js";
import { concrete, type Type } from "./types.js";

/** What surrounds a statement: names, and the type that `return` gives. */
export interface Surroundings {
  readonly scope: Scope;
  readonly result: Type;
}

export const barriers: readonly string[] = ["workgroupBarrier", "storageBarrier", "workgroupUniformLoad"];

export function statement(syntax: Statement, around: Surroundings): string {
  const { scope } = around;
  const code = (expression: Expression): string => read(translate(expression, scope)).code;
  switch (syntax.kind) {
    case "block":
      return block(syntax.body, around);
    case "variable":
      return declaration(syntax.variable, scope);
    case "assign":
      return `${assignment(syntax, scope)};`;
    case "call":
      return `${barrier(syntax.call) ?? code(syntax.call)};`;
    case "if": {
      const otherwise = syntax.otherwise ? ` else ${statement(syntax.otherwise, around)}` : "";
      return `if (${code(syntax.condition)}) ${statement(syntax.then, around)}${otherwise}`;
    }
    case "for":
      return forLoop(syntax, around);
    case "while":
      return `while (${code(syntax.condition)}) ${statement(syntax.body, around)}`;
    case "switch":
      return `switch (${code(syntax.on)}) { ${syntax.cases.map((one) => caseOf(one, around)).join(" ")} }`;
    case "break":
    case "continue":
      return `${syntax.kind};`;
    case "return":
      return syntax.value ? `return ${argument(translate(syntax.value, scope), around.result)};` : "return;";
  }
}

function block(body: readonly Statement[], { scope, result }: Surroundings): string {
  const inner = { scope: new Scope(scope), result };
  return `{\n${body.map((one) => statement(one, inner)).join("\n")}\n}`;
}

const barrier = (call: Expression): string | undefined =>
  call.kind === "call" && barriers.includes(call.callee.name) ? "yield" : undefined;

export function declaration({ keyword, name, type, value, space }: Variable, scope: Scope): string {
  if (space.length > 0 && space[0] !== "function") throw new Error(`var<${space[0]}> ${name} is not known`);
  const given = value && translate(value, scope);
  const own = type ? typeOf(type, scope)! : keyword === "const" ? given!.type : concrete(given!.type);
  const code = freshName(name);
  const changes = keyword === "var";
  scope.declare(name, { code, type: own, place: changes ? "changing" : "fixed" });
  return `let ${code} = ${given ? argument(given, own, changes) : zero(own)};`;
}

function assignment({ target, operator, value }: Statement & { kind: "assign" }, scope: Scope): string {
  const given = read(translate(value, scope));
  if (!target) return given.code;
  const place = translate(target, scope);
  const result: Value = operator ? binary(operator, read(place), given) : given;
  return stored(place, argument(result, place.type, true));
}

function forLoop(
  { first, condition, step, body }: Statement & { kind: "for" },
  { scope, result }: Surroundings,
): string {
  const inner = { scope: new Scope(scope), result };
  // Outside of the head, where JavaScript would copy the variable for every turn.
  const before = first ? statement(first, inner) : "";
  const until = condition ? read(translate(condition, inner.scope)).code : "";
  const after = step ? statement(step, inner).replace(/;$/, "") : "";
  return `{ ${before} for (; ${until}; ${after}) ${statement(body, inner)} }`;
}

function caseOf({ selectors, body }: Case, around: Surroundings): string {
  const labels = selectors.map((one) => (one ? `case ${translate(one, around.scope).code}:` : "default:"));
  return `${labels.join(" ")} ${statement(body, around)} break;`;
}
