/** Seeded inputs that sit where rounding decides: on thresholds, at the ends of the number range, in zero and partial blocks. */
import { type ArrayOf, createRandom, type Float, fromFloat32, type Random, toFloat32 } from "@halfbyte/core";

export const floats: readonly Float[] = ["float32", "float16", "bfloat16"];

/** Block maxima where reciprocals overflow, lose bits or become subnormal (contract, property tests). */
export const edgeAbsmaxes: readonly number[] = [2 ** -149, 1e-39, 1e-38, 2 ** -126, 8.6e37, 3.4e38].map(Math.fround);

const largestFinite: Readonly<Record<Float, number>> = { float32: 3.4e38, float16: 65504, bfloat16: 3.38e38 };

/** A positive number, log-uniform over most of the dtype's range. */
function anyMagnitude(random: Random, dtype: Float): number {
  const exponents = dtype === "float16" ? [-12, 14] : [-120, 124];
  return (1 + random.uniform()) * 2 ** (exponents[0]! + random.uniform() * (exponents[1]! - exponents[0]!));
}

/** `count` block maxima of the dtype, the edges that it can hold among them. */
export function absmaxes(dtype: Float, count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const edges = edgeAbsmaxes.filter((value) => dtype !== "float16" || (value > 2 ** -24 && value < 65504));
  const largest = largestFinite[dtype];
  const values = Array.from({ length: count }, (_, i) => Math.min(largest, edges[i] ?? anyMagnitude(random, dtype)));
  return toFloat32(dtype, fromFloat32(dtype, Float32Array.from(values)));
}

/** The dtype's numbers within `ulps` steps of a value; patterns of one sign are ordered like their values. */
function neighbours(dtype: Float, value: number, ulps: number): number[] {
  const largest = patternOf(dtype, largestFinite[dtype]);
  const centre = patternOf(dtype, Math.abs(value));
  const wanted = Array.from({ length: 2 * ulps + 1 }, (_, i) => Math.max(0, Math.min(largest, centre + i - ulps)));
  return wanted.map((pattern) => Math.sign(value) * numberOf(dtype, pattern));
}

const patternOf = (dtype: Float, value: number): number => patternsOf(fromFloat32(dtype, Float32Array.of(value)))[0]!;

const patternsOf = (data: ArrayOf[Float]): ArrayLike<number> => (data instanceof Float32Array ? bitsOf(data) : data);

const numberOf = (dtype: Float, pattern: number): number =>
  dtype === "float32"
    ? new Float32Array(Uint32Array.of(pattern).buffer)[0]!
    : toFloat32(dtype, Uint16Array.of(pattern))[0]!;

/** Bit patterns of f32 values, without a copy. */
export const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

export interface ThresholdBlocks {
  readonly values: Float32Array;
  readonly blockSize: number;
}

/** One block per absmax: the absmax itself, then the numbers within 3 ulps of every threshold times it. */
export function thresholdBlocks(dtype: Float, thresholds: readonly number[], scales: Float32Array): ThresholdBlocks {
  const blockSize = 2 ** Math.ceil(Math.log2(1 + thresholds.length * 7));
  const values = new Float32Array(blockSize * scales.length);
  scales.forEach((absmax, block) => {
    const near = thresholds.flatMap((threshold) => neighbours(dtype, threshold * absmax, 3));
    const inside = near.map((value) => Math.max(-absmax, Math.min(absmax, value)));
    values.set([block % 2 === 0 ? absmax : -absmax, ...inside], block * blockSize);
  });
  return { values, blockSize };
}

/** Blocks that take turns: normal numbers of some scale, sparse with both zeros, all zero, one magnitude, subnormal. */
export function mixedValues(dtype: Float, size: number, blockSize: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const sign = () => (random.uniform() < 0.5 ? -1 : 1);
  let scale = 1;
  const kinds = [
    () => random.normal() * scale,
    () => (random.uniform() < 0.6 ? 0 * sign() : random.normal()),
    () => 0 * sign(),
    () => sign() * scale,
    () => random.normal() * (dtype === "float16" ? 1e-7 : 1e-40),
    () => random.normal() * scale,
  ];
  const values = Float32Array.from({ length: size }, (_, i) => {
    if (i % blockSize === 0) scale = anyMagnitude(random, dtype) / 8;
    return kinds[Math.floor(i / blockSize) % kinds.length]!();
  });
  return toFloat32(dtype, fromFloat32(dtype, values));
}

export function normals(size: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => random.normal() * scale);
}

export function integers(size: number, seed: number, low: number, high: number): Int32Array {
  const random = createRandom(seed);
  return Int32Array.from({ length: size }, () => low + Math.floor(random.uniform() * (high - low + 1)));
}

/** The first place where two arrays differ, for a short report; undefined when they are equal. */
export function firstDifference(found: ArrayLike<number>, expected: ArrayLike<number>) {
  if (found.length !== expected.length) return { foundLength: found.length, expectedLength: expected.length };
  for (let index = 0; index < found.length; index++) {
    if (found[index] !== expected[index]) return { index, found: found[index], expected: expected[index] };
  }
  return undefined;
}
