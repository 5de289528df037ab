/** WGSL's built-in functions that the kernels under test use. What is missing is an error that names it. */
import { commonScalar, converted, elementwise } from "./operators.js";
import type { Value } from "./scope.js";
import { concrete, type Scalar, scalar, scalarOf, type Type } from "./types.js";

type Builtin = (args: readonly Value[]) => Value;

/** Arguments of one type, and a result of that type, element by element. */
const same =
  (one: (type: Scalar, ...codes: string[]) => string): Builtin =>
  (args) => {
    const type = scalarOf(concrete(scalar(commonScalar(args.map((arg) => arg.type)))));
    return elementwise(
      args.map((arg) => converted(arg, type)),
      type,
      (...codes) => one(type, ...codes),
    );
  };

const unsigned = (type: Scalar, code: string): string => (type === "u32" ? `(${code} >>> 0)` : `(${code} | 0)`);

/** The second argument where the condition holds. */
const select: Builtin = ([no, yes, condition]) => {
  if (no!.type.kind !== "scalar") return { code: `(${condition!.code} ? ${yes!.code} : ${no!.code})`, type: no!.type };
  const type = commonScalar([no!.type, yes!.type]);
  const [a, b] = [converted(no!, type), converted(yes!, type)];
  return { code: `(${condition!.code} ? ${b.code} : ${a.code})`, type: scalar(type) };
};

const atomic =
  (update: (type: Scalar, old: string, operand: string) => string): Builtin =>
  ([pointer, operand]) => {
    const type = (pointer!.type as Type & { kind: "pointer" }).to;
    const name = scalarOf(type);
    const value = operand ? converted(operand, name).code : "undefined";
    return {
      code: `atomically(${pointer!.code}, (old, operand) => ${update(name, "old", "operand")}, ${value})`,
      type,
    };
  };

const packed =
  (bits: string): Builtin =>
  ([a, b]) => ({
    code: `dot4(${bits}, ${a!.code}, ${b!.code})`,
    type: scalar(bits === "24" ? "i32" : "u32"),
  });

export const builtins: Readonly<Record<string, Builtin>> = {
  abs: same((type, a) => (type === "i32" ? `(Math.abs(${a}) | 0)` : `Math.abs(${a})`)),
  min: same((_, a, b) => `Math.min(${a}, ${b})`),
  max: same((_, a, b) => `Math.max(${a}, ${b})`),
  clamp: same((_, a, low, high) => `Math.min(Math.max(${a}, ${low}), ${high})`),
  countLeadingZeros: same((_, a) => `Math.clz32(${a})`),
  countTrailingZeros: same((_, a) => `countTrailingZeros(${a})`),
  countOneBits: same((_, a) => `countOneBits(${a})`),
  firstLeadingBit: same((type, a) => unsigned(type, `firstLeadingBit(${a})`)),
  firstTrailingBit: same((type, a) => unsigned(type, `(${a} === 0 ? -1 : countTrailingZeros(${a}))`)),
  reverseBits: same((type, a) => unsigned(type, `reverseBits(${a})`)),
  fma: same((_, a, b, c) => `float.fma(${a}, ${b}, ${c})`),
  sqrt: same((_, a) => `float.sqrt(${a})`),
  floor: same((_, a) => `Math.floor(${a})`),
  ceil: same((_, a) => `Math.ceil(${a})`),
  trunc: same((_, a) => `Math.trunc(${a})`),
  round: same((_, a) => `roundHalfEven(${a})`),
  sign: same((_, a) => `Math.sign(${a})`),
  select,
  extractBits: ([a, offset, count]) => {
    const type = scalarOf(a!.type);
    return elementwise(
      [a!, offset!, count!],
      type,
      (...codes) => `extractBits(${type === "i32"}, ${codes.join(", ")})`,
    );
  },
  insertBits: ([a, bits, offset, count]) => {
    const type = scalarOf(a!.type);
    const args = [a!, converted(bits!, type), offset!, count!];
    return elementwise(args, type, (...codes) => unsigned(type, `insertBits(${codes.join(", ")})`));
  },
  all: ([a]) => ({ code: `[${a!.code}].flat().every(Boolean)`, type: scalar("bool") }),
  any: ([a]) => ({ code: `[${a!.code}].flat().some(Boolean)`, type: scalar("bool") }),
  dot4I8Packed: packed("24"),
  dot4U8Packed: packed("0"),
  unpack4xI8: ([a]) => ({ code: `unpack4x8(true, ${a!.code})`, type: { kind: "vector", of: "i32", size: 4 } }),
  unpack4xU8: ([a]) => ({ code: `unpack4x8(false, ${a!.code})`, type: { kind: "vector", of: "u32", size: 4 } }),
  pack4xI8: ([a]) => ({ code: `pack4x8(${a!.code})`, type: scalar("u32") }),
  pack4xU8: ([a]) => ({ code: `pack4x8(${a!.code})`, type: scalar("u32") }),
  atomicLoad: atomic((_, old) => old),
  atomicStore: atomic((_, __, operand) => operand),
  atomicExchange: atomic((_, __, operand) => operand),
  atomicAdd: atomic((type, old, operand) => unsigned(type, `(${old} + ${operand})`)),
  atomicMin: atomic((_, old, operand) => `Math.min(${old}, ${operand})`),
  atomicMax: atomic((_, old, operand) => `Math.max(${old}, ${operand})`),
  atomicOr: atomic((type, old, operand) => unsigned(type, `(${old} | ${operand})`)),
  atomicAnd: atomic((type, old, operand) => unsigned(type, `(${old} & ${operand})`)),
};

/** u32(a), i32(a), f32(a), bool(a): conversions that are asked for. */
export function conversion(to: Scalar, value: Value): Value {
  const from = scalarOf(value.type);
  return elementwise([value], to, (a) => convertedCode(from, to, a!));
}

function convertedCode(from: Scalar, to: Scalar, a: string): string {
  if (from === to) return a;
  if (from === "bool") return `(${a} ? 1 : 0)`;
  if (to === "bool") return `(${a} !== 0)`;
  if (to === "f32") return from === "abstract-float" ? `Math.fround(${a})` : `float.from(${a})`;
  // A float is cut off, and clamped to the range of the integers.
  if (from === "f32")
    return to === "u32" ? `saturated(${a}, 0, 4294967295)` : `saturated(${a}, -2147483648, 2147483647)`;
  return to === "u32" ? `(${a} >>> 0)` : `(${a} | 0)`;
}

export function bitcast(to: Scalar, value: Value): Value {
  const typed = { ...value, type: concrete(value.type) };
  const from = scalarOf(typed.type);
  return elementwise([typed], to, (a) => {
    const word = from === "f32" ? `bitsOf(${a})` : a!;
    return to === "f32" ? `floatOf(${word})` : unsigned(to, word);
  });
}
