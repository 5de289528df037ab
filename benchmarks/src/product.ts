/** A matrix product with synthetic weights, on the host: what every library gets, and the float64 truth they are held to. */
import { type ArrayOf, createRandom, type Float, fromFloat32, getFormat, toFloat32, unpackCodes } from "@halfbyte/core";
import { relativeError } from "./measure/statistics.js";
import type { Dimensions } from "./spec.js";

/** Block size of every 4-bit case. */
export const blockSize = 64;

/** Seeded normal values; drawn once and repeated, for speed depends on how many there are and not on what they are. */
export function normalValues(count: number, seed: number, deviation = 1): Float32Array {
  const random = createRandom(seed);
  // A prime, so that rows differ.
  const tile = Float32Array.from({ length: Math.min(count, 1_048_573) }, () => deviation * random.normal());
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += tile.length) values.set(tile.subarray(0, count - at), at);
  return values;
}

/** Activations as an operation gets them, and the same numbers widened. */
export interface Activations {
  readonly dtype: Float;
  readonly stored: ArrayOf[Float];
  readonly values: Float32Array;
}

export function activationsOf(dtype: Float, count: number, seed = 2): Activations {
  const stored = fromFloat32(dtype, normalValues(count, seed));
  return { dtype, stored, values: toFloat32(dtype, stored) };
}

/** A 4-bit weight [n, k]: codes two to a byte, and one scale per block of the flat tensor. */
export interface Weight4bit {
  readonly format: string;
  readonly n: number;
  readonly k: number;
  readonly codes: Uint8Array;
  readonly absmax: Float32Array;
}

/** Rows [begin, end) in float64: what is stored, without a rounding. */
export function rowsOf({ format, k, codes, absmax }: Weight4bit, begin: number, end: number): Float64Array {
  const { code } = getFormat(format);
  // An even start: codes come in pairs.
  const from = (begin * k) & ~1;
  const unpacked = unpackCodes(codes.subarray(from / 2, Math.ceil((end * k) / 2)), end * k - from);
  const skipped = begin * k - from;
  return Float64Array.from({ length: (end - begin) * k }, (_, i) => {
    return code[unpacked[skipped + i]!]! * absmax[Math.floor((begin * k + i) / blockSize)]!;
  });
}

/** At most `limit` indices, evenly spread, the last one included. */
export function sampled(count: number, limit: number): number[] {
  const taken = Math.min(count, limit);
  return Array.from({ length: taken }, (_, i) => (taken === 1 ? 0 : Math.round((i * (count - 1)) / (taken - 1))));
}

/** Row `n` of the weight that a library multiplies with. */
export type WeightRow = (n: number) => ArrayLike<number>;

/** The error of a product `y` [m, n], over some of its elements, against sums in float64. */
export function productError(y: ArrayLike<number>, x: Float32Array, { m, n, k }: Dimensions, row: WeightRow): number {
  const found: number[] = [];
  const expected: number[] = [];
  for (const column of sampled(n, 64)) {
    const weights = row(column);
    for (const line of sampled(m, 8)) {
      found.push(y[line * n + column]!);
      expected.push(dot(x, line * k, weights));
    }
  }
  return relativeError(found, expected);
}

function dot(x: Float32Array, from: number, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += x[from + i]! * weights[i]!;
  return sum;
}
