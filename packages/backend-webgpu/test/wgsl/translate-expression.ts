/** Expressions as JavaScript. */
import { bitcast, builtins, conversion } from "./builtins.js";
import { binary, converted, unary } from "./operators.js";
import { resolveType } from "./resolve-type.js";
import type { Address, Scope, Signature, Value } from "./scope.js";
import type { Expression, TypeName } from "./syntax.js";
import { isComposite, nameOf, offsetOf, scalar, scalarOf, strideOf, type Type } from "./types.js";

type Call = Expression & { kind: "call" };

export function translate(expression: Expression, scope: Scope): Value {
  const inner = (of: Expression): Value => translate(of, scope);
  switch (expression.kind) {
    case "literal":
      return literal(expression);
    case "name":
      return scope.value(expression.name);
    case "binary":
      return binary(expression.operator, read(inner(expression.left)), read(inner(expression.right)));
    case "unary":
      return prefixed(expression.operator, inner(expression.operand));
    case "index":
      return element(inner(expression.of), read(inner(expression.index)).code);
    case "member":
      return member(inner(expression.of), expression.name);
    case "call":
      return call(expression, scope);
  }
}

export const typeOf = (name: TypeName, scope: Scope): Type | undefined =>
  resolveType(name, scope, (expression) => translate(expression, scope).code);

const literal = ({ value, type }: Expression & { kind: "literal" }): Value => ({
  code: String(type === "f32" ? Math.fround(Number(value)) : value),
  type: scalar(type),
});

function prefixed(operator: string, operand: Value): Value {
  if (operator === "&") return { code: pointer(operand), type: { kind: "pointer", to: operand.type } };
  if (operator !== "*") return unary(operator, read(operand));
  const { to } = operand.type as Type & { kind: "pointer" };
  return { code: `${operand.code}.value`, type: to, place: "changing" };
}

const pointer = (value: Value): string =>
  `{ get value() { return ${read(value).code}; }, set value(to) { ${stored(value, "to")}; } }`;

// ── Memory ──

/** What is in a place; a place that changes is copied by whoever keeps it. */
export function read(value: Value): Value {
  if (!value.address) return value;
  const { buffer, read: offset } = value.address;
  return { code: loaded(value.type, buffer, offset), type: value.type };
}

function loaded(type: Type, buffer: string, offset: string): string {
  if (type.kind === "scalar") return `${buffer}.${type.name}[(${offset}) >>> 2]`;
  if (type.kind === "vector") return list(type.size, (i) => loaded(scalar(type.of), buffer, `${offset} + ${4 * i}`));
  if (type.kind === "struct") {
    const members = type.members.map(
      ({ name, type: of }) => `${name}: ${loaded(of, buffer, `${offset} + ${offsetOf(type.members, name)}`)}`,
    );
    return `{ ${members.join(", ")} }`;
  }
  throw new Error(`a whole ${nameOf(type)} is not read at once`);
}

const list = (size: number, one: (i: number) => string): string =>
  `[${Array.from({ length: size }, (_, i) => one(i)).join(", ")}]`;

/** Puts a value into a place. */
export function stored(place: Value, code: string): string {
  const { type, address } = place;
  if (!address) return `${place.code} = ${code}`;
  const { buffer, write: offset } = address;
  if (type.kind === "scalar") return `${buffer}.${type.name}[${buffer}.at(${offset})] = ${code}`;
  if (type.kind === "vector") return `${buffer}.put(${offset}, "${type.of}", ${code})`;
  throw new Error(`a whole ${nameOf(type)} is not written at once`);
}

/** A copy, where the original may change or the copy may. */
export function kept(value: Value, changes: boolean): string {
  const { code, type, place } = read(value);
  return isComposite(type) && (place === "changing" || (place && changes)) ? `copied(${code})` : code;
}

function element(of: Value, index: string): Value {
  const { type } = of;
  if (type.kind !== "array" && type.kind !== "vector") throw new Error(`${nameOf(type)} has no elements`);
  const inner = type.kind === "array" ? type.of : scalar(type.of);
  if (of.address) return { ...of, type: inner, address: elementAddress(of.address, type, index, strideOf(inner)) };
  return { ...placeOf(of), code: `${of.code}[within(${of.code}, ${index})]`, type: inner };
}

const moved = ({ buffer, write, read }: Address, by: string, readBy = by): Address => ({
  buffer,
  write: `${write} + ${by}`,
  read: `${read} + ${readBy}`,
});

/** WebGPU lets nobody read beyond an array: the last element is there instead. */
function elementAddress(address: Address, { kind, ...type }: Type, index: string, stride: number): Address {
  const isOpen = kind === "array" && !("count" in type && type.count);
  if (!isOpen) return moved(address, `(${index}) * ${stride}`);
  const { buffer } = address;
  return moved(address, `${buffer}.element(${index}, ${stride})`, `${buffer}.nearest(${index}, ${stride})`);
}

const placeOf = ({ place }: Value): Pick<Value, "place"> => (place ? { place } : {});

const components = "xyzw";
const colours = "rgba";

function member(of: Value, name: string): Value {
  const { type } = of;
  if (type.kind === "struct") return structMember(of, type, name);
  if (type.kind === "pointer") return member(prefixed("*", of), name);
  if (type.kind !== "vector") throw new Error(`${nameOf(type)} has no ${name}`);
  const at = [...name].map((letter) => Math.max(components.indexOf(letter), colours.indexOf(letter)));
  if (at.length === 1) return element(of, String(at[0]));
  const { code } = read(of);
  return { code: `swizzled(${code}, [${at.join(", ")}])`, type: { kind: "vector", of: type.of, size: at.length } };
}

function structMember(of: Value, type: Type & { kind: "struct" }, name: string): Value {
  const found = type.members.find((member) => member.name === name);
  if (!found) throw new Error(`${type.name} has no ${name}`);
  const base = { ...of, type: found.type };
  if (of.address) return { ...base, address: moved(of.address, String(offsetOf(type.members, name))) };
  return { ...base, code: `${of.code}.${name}` };
}

// ── Calls ──

function call(expression: Call, scope: Scope): Value {
  const { callee } = expression;
  const args = expression.args.map((arg) => translate(arg, scope));
  if (callee.name === "bitcast")
    return bitcast(scalarOf(typeOf(callee.parameters[0] as TypeName, scope)!), read(args[0]!));
  const own = scope.functionNamed(callee.name);
  if (own) return callOf(own, args);
  const type = typeOf(callee, scope);
  if (type) return constructed(type, args);
  if (callee.name === "arrayLength") return lengthOf(expression.args[0]!, scope);
  if (/^(vec[234]|array)$/.test(callee.name)) return constructed(inferred(callee.name, args.map(read)), args);
  const builtin = builtins[callee.name];
  if (!builtin) throw new Error(`${callee.name}() is neither of this text nor known`);
  return builtin(args.map(read));
}

function callOf({ code, parameters, result, waits }: Signature, args: readonly Value[]): Value {
  const given = parameters.map((type, i) => argument(args[i]!, type));
  return { code: waits ? `(yield* ${code}(${given.join(", ")}))` : `${code}(${given.join(", ")})`, type: result };
}

/** Converted to the type that is wanted, where it is abstract. */
export function argument(value: Value, type: Type, changes = false): string {
  const isNumber = value.type.kind === "scalar" || value.type.kind === "vector";
  return kept(isNumber ? { ...value, ...fitted(value, type) } : value, changes);
}

const fitted = (value: Value, type: Type): Partial<Value> => (value.address ? {} : converted(value, scalarOf(type)));

function lengthOf(of: Expression, scope: Scope): Value {
  const { type, address } = translate(of.kind === "unary" ? of.operand : of, scope);
  if (type.kind !== "array" || !address) throw new Error("arrayLength() of something else than an array of a buffer");
  return { code: `Math.floor(${address.buffer}.byteLength / ${strideOf(type.of)})`, type: scalar("u32") };
}

function constructed(type: Type, args: readonly Value[]): Value {
  if (args.length === 0) return { code: zero(type), type };
  if (type.kind === "scalar") return conversion(type.name, read(args[0]!));
  if (type.kind === "array") return { code: `[${args.map((arg) => argument(arg, type.of)).join(", ")}]`, type };
  if (type.kind === "vector") return vector(type, args.map(read));
  if (type.kind !== "struct") throw new Error(`${nameOf(type)} is not constructed`);
  const members = type.members.map(({ name, type: of }, i) => `${name}: ${argument(args[i]!, of)}`);
  return { code: `{ ${members.join(", ")} }`, type };
}

/** From scalars and vectors in a row, from one scalar for all, or from another vector. */
function vector(type: Type & { kind: "vector" }, args: readonly Value[]): Value {
  const parts = args.map((arg) =>
    arg.type.kind === "vector" && args.length === 1 ? conversion(type.of, arg) : converted(arg, type.of),
  );
  if (parts.length === 1 && parts[0]!.type.kind === "scalar")
    return { code: `new Array(${type.size}).fill(${parts[0]!.code})`, type };
  return { code: `[${parts.map(({ code }) => code).join(", ")}].flat()`, type };
}

/** `vec4(a, b)` and `array(1u, 2u)` say only in part what they make. */
function inferred(name: string, args: readonly Value[]): Type {
  const of = args[0]!.type;
  if (name === "array") return { kind: "array", of, count: String(args.length) };
  return { kind: "vector", of: scalarOf(of), size: Number(name[3]) };
}

/** The value of what was never written. */
export function zero(type: Type): string {
  if (type.kind === "scalar") return type.name === "bool" ? "false" : "0";
  if (type.kind === "vector") return `new Array(${type.size}).fill(${type.of === "bool" ? "false" : "0"})`;
  if (type.kind === "array") return `Array.from({ length: ${type.count} }, () => ${braced(zero(type.of))})`;
  if (type.kind !== "struct") throw new Error(`${nameOf(type)} has no zero`);
  return `{ ${type.members.map(({ name, type: of }) => `${name}: ${zero(of)}`).join(", ")} }`;
}

const braced = (code: string): string => (code.startsWith("{") ? `(${code})` : code);
