/** Operators on numbers, as JavaScript. */
import type { Value } from "./scope.js";
import { concrete, nameOf, type Scalar, scalar, scalarOf, type Type, withScalar } from "./types.js";

const float: Readonly<Record<string, string>> = { "+": "add", "-": "subtract", "*": "multiply", "/": "divide" };

/** One operation on two scalars of a type. */
export function scalarOperation(operator: string, type: Scalar, a: string, b: string): string {
  if (/^(==|!=|<=?|>=?)$/.test(operator))
    return `(${a} ${operator === "==" || operator === "!=" ? `${operator}=` : operator} ${b})`;
  if (type === "bool") return `((${a} ${operator} ${b}) !== 0)`;
  if (type === "u32") return `(${integer(operator, a, b, ">>>")} >>> 0)`;
  if (type === "i32") return `(${integer(operator, a, b, ">>")} | 0)`;
  if (type === "f32" && float[operator]) return `float.${float[operator]}(${a}, ${b})`;
  return abstract(operator, type, a, b);
}

function integer(operator: string, a: string, b: string, shiftRight: string): string {
  if (operator === "*") return `Math.imul(${a}, ${b})`;
  // WGSL says what a division by zero is.
  if (operator === "/") return `(${b} === 0 ? ${a} : ${a} / ${b})`;
  if (operator === "%") return `(${b} === 0 ? 0 : ${a} % ${b})`;
  return `(${a} ${operator === ">>" ? shiftRight : operator} ${b})`;
}

/** Of constants before they have a type: exact, or in double precision. */
function abstract(operator: string, type: Scalar, a: string, b: string): string {
  if (operator === "<<") return `(${a} * 2 ** ${b})`;
  if (operator === "/" && type === "abstract-int") return `Math.trunc(${a} / ${b})`;
  if (/^[-+*/%]$/.test(operator)) return `(${a} ${operator} ${b})`;
  throw new Error(`${operator} of two ${type}`);
}

const ranks: readonly Scalar[] = ["abstract-int", "abstract-float"];

/** The type that two operands share: the one that is not abstract, else the more general one. */
export function commonScalar(types: readonly Type[]): Scalar {
  const scalars = types.map(scalarOf);
  const fixed = [...new Set(scalars.filter((name) => !ranks.includes(name)))];
  if (fixed.length > 1) throw new Error(`${fixed.join(" and ")} do not mix`);
  return fixed[0] ?? ranks[Math.max(...scalars.map((name) => ranks.indexOf(name)))]!;
}

/** The value with another scalar type, to which its own converts by itself. */
export function converted(value: Value, to: Scalar): Value {
  const from = scalarOf(value.type);
  if (from === to) return value;
  if (!from.startsWith("abstract")) throw new Error(`${from} is no ${to}`);
  const type = withScalar(value.type, to);
  return from === "abstract-float" && to === "f32" ? { code: `Math.fround(${value.code})`, type } : { ...value, type };
}

/** Applies `one` to scalars, or to vectors element by element; scalars beside vectors stand for each element. */
export function elementwise(values: readonly Value[], result: Scalar, one: (...codes: string[]) => string): Value {
  const vector = values.find(({ type }) => type.kind === "vector")?.type;
  if (!vector) return { code: one(...values.map(({ code }) => code)), type: scalar(result) };
  const names = values.map((_, i) => `e${i}`);
  const args = values.map(({ code }) => code).join(", ");
  return { code: `elementwise((${names.join(", ")}) => ${one(...names)}, ${args})`, type: withScalar(vector, result) };
}

const comparisons = /^(==|!=|<=?|>=?)$/;

export function binary(operator: string, left: Value, right: Value): Value {
  if (operator === "&&" || operator === "||")
    return { code: `(${left.code} ${operator} ${right.code})`, type: scalar("bool") };
  if (operator === "<<" || operator === ">>") return shift(operator, left, right);
  const type = commonScalar([left.type, right.type]);
  const operands = [converted(left, type), converted(right, type)];
  const result = comparisons.test(operator) ? "bool" : type;
  return elementwise(operands, result, (a, b) => scalarOperation(operator, type, a!, b!));
}

function shift(operator: string, left: Value, right: Value): Value {
  const isConstant = right.type.kind === "scalar" && right.type.name === "abstract-int";
  const value = isConstant && scalarOf(left.type) === "abstract-int" ? left : { ...left, type: concrete(left.type) };
  const type = scalarOf(value.type);
  return elementwise([value, right], type, (a, b) => scalarOperation(operator, type, a!, b!));
}

export function unary(operator: string, operand: Value): Value {
  const type = scalarOf(operand.type);
  const one = { "!": (a: string) => `!${a}`, "-": negated(type), "~": (a: string) => integerNot(type, a) }[operator];
  if (!one) throw new Error(`${operator} of ${nameOf(operand.type)}`);
  return elementwise([operand], type, (a) => one(a!));
}

const negated = (type: Scalar) => (a: string) => (type === "i32" ? `(-${a} | 0)` : `(-${a})`);
const integerNot = (type: Scalar, a: string): string => (type === "u32" ? `(~${a} >>> 0)` : `(~${a})`);
