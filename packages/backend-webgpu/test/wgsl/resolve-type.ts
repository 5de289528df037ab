/** From a type as it is written to the type. */
import { isExpression, type Scope } from "./scope.js";
import type { Expression, TypeName } from "./syntax.js";
import { type Scalar, scalar, scalarOf, type Type } from "./types.js";

const scalars: readonly string[] = ["bool", "i32", "u32", "f32"];
const short: Readonly<Record<string, Scalar>> = { i: "i32", u: "u32", f: "f32" };

/** Undefined where the name is that of no type. `constant` translates the length of an array. */
export function resolveType(
  { name, parameters }: TypeName,
  scope: Scope,
  constant: (expression: Expression) => string,
): Type | undefined {
  const known = scalars.includes(name) ? scalar(name as Scalar) : (scope.type(name) ?? shortVector(name));
  if (known) return known;
  const inner = (at: number): Type => resolveType(parameters[at] as TypeName, scope, constant)!;
  if (/^vec[234]$/.test(name) && parameters.length > 0)
    return { kind: "vector", size: Number(name[3]), of: scalarOf(inner(0)) };
  // One invocation runs at a time, so an atomic is what is in it.
  if (name === "atomic") return inner(0);
  if (name === "ptr") return { kind: "pointer", to: inner(1) };
  if (name !== "array" || parameters.length === 0) return undefined;
  return { kind: "array", of: inner(0), count: parameters[1] && countOf(parameters[1], constant) };
}

function shortVector(name: string): Type | undefined {
  const [, size, suffix] = /^vec([234])([iuf])$/.exec(name) ?? [];
  return size ? { kind: "vector", size: Number(size), of: short[suffix!]! } : undefined;
}

const countOf = (part: TypeName | Expression, constant: (expression: Expression) => string): string =>
  constant(isExpression(part) ? part : { kind: "name", name: part.name });
