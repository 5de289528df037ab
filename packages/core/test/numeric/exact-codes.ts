/** Decision rules of blockwise quantization on bit patterns: each profile once more, as the specification words it. */
import type { Format, Profile } from "@halfbyte/core";
import * as exact from "./exact.js";

/** Code of a scaled value, both as patterns. */
export type Decide = (scaled: number) => number;

export interface Blocks {
  readonly codes: Uint8Array;
  readonly absmax: Uint32Array;
}

const bitsOf = (values: Float32Array): number[] => [
  ...new Uint32Array(values.buffer, values.byteOffset, values.length),
];

const floor = exact.fromDecimal("1e-38");
const larger = (a: number, b: number): number => Math.max(a, b);
const minusOne = exact.negate32(exact.one32);

function clamp(bits: number): number {
  if (exact.isNaN32(bits)) return bits;
  if (exact.orderOf(bits) > exact.orderOf(exact.one32)) return exact.one32;
  return exact.orderOf(bits) < exact.orderOf(minusOne) ? minusOne : bits;
}

/** Code indices in ascending order of value, equal values in code order; and the midpoints of neighbours. */
function intervals(code: readonly number[]): { order: number[]; bounds: number[] } {
  const order = code.map((_, i) => i).sort((a, b) => exact.orderOf(code[a]!) - exact.orderOf(code[b]!) || a - b);
  const bounds = order.slice(1).map((index, i) => exact.midpoint(code[order[i]!]!, code[index]!));
  return { order, bounds };
}

/** order[bounds strictly below the value]; NaN is above all of them, or compares false with each. */
function midpointRule(code: readonly number[], nanCode: "highest" | "lowest"): Decide {
  return countRule(intervals(code), nanCode);
}

function countRule({ order, bounds }: ReturnType<typeof intervals>, nanCode: "highest" | "lowest"): Decide {
  const keys = bounds.map(exact.orderOf);
  return (scaled) => {
    if (exact.isNaN32(scaled)) return order[nanCode === "highest" ? keys.length : 0]!;
    const key = exact.orderOf(scaled);
    return order[keys.filter((bound) => bound < key).length]!;
  };
}

const fp4Literal = Object.fromEntries(
  ["0.00260417", "0.0859375", "0.20833333", "0.29166667", "0.4166667", "0.583333", "0.8333333"].map((text) => [
    text,
    exact.fromDecimal(text),
  ]),
);

/** The comparison tree of the CUDA source: three decisions on |x|, the sign in bit 3. */
function fp4Tree(scaled: number): number {
  const above = (text: string) => !exact.isNaN32(scaled) && exact.magnitude(scaled) > fp4Literal[text]!;
  const sign = !exact.isNaN32(scaled) && exact.orderOf(scaled) < 0 ? 8 : 0;
  if (above("0.29166667")) {
    if (above("0.583333")) return sign + (above("0.8333333") ? 0b011 : 0b010);
    return sign + (above("0.4166667") ? 0b101 : 0b100);
  }
  if (above("0.0859375")) return sign + (above("0.20833333") ? 0b111 : 0b110);
  return sign + (above("0.00260417") ? 0b001 : 0b000);
}

export function decide4bit(format: Format, profile: Profile): Decide {
  if (profile === "cuda" && format.name === "fp4") return fp4Tree;
  return midpointRule(bitsOf(format.code), profile === "cuda" ? "lowest" : "highest");
}

/** The CUDA source's search: seven halvings from entry 127, then one comparison with the midpoint towards a neighbour. */
function binarySearch(code: readonly number[]): Decide {
  const keys = code.map(exact.orderOf);
  return (scaled) => {
    if (exact.isNaN32(scaled)) return 0;
    const key = exact.orderOf(scaled);
    let [pivot, upper, lower] = [127, 255, 0];
    for (let step = 64; step > 0; step >>= 1) {
      if (key > keys[pivot]!) [lower, pivot] = [pivot, pivot + step];
      else [upper, pivot] = [pivot, pivot - step];
    }
    if (key > keys[pivot]!) return key > exact.orderOf(exact.midpoint(code[upper]!, code[pivot]!)) ? upper : pivot;
    return key < exact.orderOf(exact.midpoint(code[lower]!, code[pivot]!)) ? lower : pivot;
  };
}

const lastBin = 65535;
const half = exact.fromDecimal("0.5");
const lastBin32 = exact.fromInteger(lastBin);

/** −1 + 2i/65535 as the table's maker computes it. */
const binCentre = (i: number): number => exact.add(minusOne, exact.divide(exact.fromInteger(2 * i), lastBin32));

/**
 * Upstream's CPU kernel: bin trunc(fma(fr(fr(v + 1) / 2), 65535, 0.5)) holds the nearest code of its centre. NaN, which is
 * 0 · (1/absmax) when the reciprocal overflows, is undefined upstream and 0 here.
 */
function binned(code: readonly number[]): Decide {
  const nearest = midpointRule(code, "highest");
  const known = new Map<number, number>();
  return (scaled) => {
    if (exact.isNaN32(scaled)) return 0;
    const place = exact.multiply(exact.add(scaled, exact.one32), half);
    const bin = exact.truncate(exact.multiplyAdd(place, lastBin32, half));
    if (!known.has(bin)) known.set(bin, nearest(binCentre(bin)));
    return known.get(bin)!;
  };
}

export function decide8bit(code: Float32Array, profile: Profile): Decide {
  if (profile === "cpu") return binned(bitsOf(code));
  return profile === "cuda" ? binarySearch(bitsOf(code)) : midpointRule(bitsOf(code), "highest");
}

interface Scaled {
  readonly absmax: number;
  readonly scaled: readonly number[];
}

const largestMagnitude = (block: readonly number[]): number =>
  block.map((bits) => exact.magnitude(bits)).reduce(larger, 0);

/** One block of patterns times the reciprocal of its absmax. */
function scaleByReciprocal(block: readonly number[], hasFloor: boolean): Scaled {
  const absmax = largestMagnitude(block);
  const inverse = exact.reciprocal(hasFloor ? larger(absmax, floor) : absmax);
  return { absmax, scaled: block.map((bits) => clamp(exact.multiply(bits, inverse))) };
}

/** The partial block of a 4-bit tensor: a division, and the raised absmax is stored. */
function scaleByDivision(block: readonly number[]): Scaled {
  const absmax = larger(largestMagnitude(block), floor);
  return { absmax, scaled: block.map((bits) => clamp(exact.divide(bits, absmax))) };
}

function scale4bit(block: readonly number[], blockSize: number, profile: Profile): Scaled {
  const divides = block.length < blockSize && profile !== "cuda";
  return divides ? scaleByDivision(block) : scaleByReciprocal(block, profile !== "cuda");
}

function* blocksOf(patterns: ArrayLike<number>, blockSize: number): Generator<number[]> {
  for (let begin = 0; begin < patterns.length; begin += blockSize) {
    const length = Math.min(blockSize, patterns.length - begin);
    yield Array.from({ length }, (_, i) => patterns[begin + i]!);
  }
}

/** Packed codes and absmax patterns of a 4-bit quantization. */
export function quantize4bit(patterns: ArrayLike<number>, blockSize: number, format: Format, profile: Profile): Blocks {
  const decide = decide4bit(format, profile);
  const [codes, absmax]: [number[], number[]] = [[], []];
  for (const block of blocksOf(patterns, blockSize)) {
    const result = scale4bit(block, blockSize, profile);
    absmax.push(result.absmax);
    codes.push(...result.scaled.map(decide));
  }
  if (codes.length % 2 === 1) codes.push(decide(0));
  const pairs = Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i]! << 4) | codes[2 * i + 1]!);
  return { codes: pairs, absmax: Uint32Array.from(absmax) };
}

/** Codes and absmax patterns of a blockwise 8-bit quantization. */
export function quantize8bit(
  patterns: ArrayLike<number>,
  blockSize: number,
  code: Float32Array,
  profile: Profile,
): Blocks {
  const decide = decide8bit(code, profile);
  const [codes, absmax]: [number[], number[]] = [[], []];
  for (const block of blocksOf(patterns, blockSize)) {
    const result = scaleByReciprocal(block, profile === "reference");
    absmax.push(result.absmax);
    const isZero = result.absmax === 0 && profile !== "reference";
    codes.push(...(isZero ? block.map(() => 0) : result.scaled.map(decide)));
  }
  return { codes: Uint8Array.from(codes), absmax: Uint32Array.from(absmax) };
}

/** fr(fr(code · absmax) + offset), as nested statistics decode; without an offset, as everything else does. */
export function decodeCode(code: number, absmax: number, offset?: number): number {
  const value = exact.multiply(code, absmax);
  return offset === undefined ? value : exact.add(value, offset);
}
