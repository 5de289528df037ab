/** Inputs that find mistakes: seeded, so that fast-check prints a few numbers instead of a tensor. */
import { createRandom, type Float, fromFloat32, type Random, toFloat32 } from "@halfbyte/core";
import fc from "fast-check";

type Fill = (random: Random, index: number, blockSize: number) => number;

/** One value at a time; the block size lets a kind change from block to block. */
const fills = {
  normal: (random) => random.normal(),
  weights: (random) => random.normal() * 0.02,
  heavyTail: (random) => random.normal() / (random.uniform() * 0.97 + 0.03),
  tiny: (random) => random.normal() * 1e-30,
  huge: (random) => random.normal() * 8e36,
  subnormal: (random) => random.normal() * 1e-40,
  sparse: (random) => (random.uniform() < 0.7 ? (random.uniform() < 0.5 ? 0 : -0) : random.normal()),
  constant: (random) => (random.uniform() < 0.5 ? 0.7310586 : -0.7310586),
  zeroBlocks: (random, index, blockSize) => (Math.floor(index / blockSize) % 2 === 0 ? 0 : random.normal()),
  mixedScales: (random, index, blockSize) => random.normal() * 2 ** ((Math.floor(index / blockSize) % 9) * 12 - 60),
} satisfies Record<string, Fill>;

export type Content = keyof typeof fills;
export const contents = Object.keys(fills) as Content[];

const largest: Readonly<Record<Float, number>> = { float32: 3.4e38, float16: 65504, bfloat16: 3.38e38 };

/** `size` finite values that the dtype can hold, as f32. */
export function contentOf(content: Content, dtype: Float, size: number, seed: number, blockSize = 64): Float32Array {
  const random = createRandom(seed);
  const limit = largest[dtype];
  const values = Float32Array.from({ length: size }, (_, i) =>
    Math.max(-limit, Math.min(limit, fills[content](random, i, blockSize))),
  );
  return toFloat32(dtype, fromFloat32(dtype, values));
}

/** Standard normal values times `scale`. */
export function normals(size: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => random.normal() * scale);
}

/** Integers from `low` to `high`, both included. */
export function integers(size: number, seed: number, low: number, high: number): Int32Array {
  const random = createRandom(seed);
  return Int32Array.from({ length: size }, () => low + Math.floor(random.uniform() * (high - low + 1)));
}

export const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 });
export const anyContent = fc.constantFrom(...contents);
export const anyFloat = fc.constantFrom<Float>("float32", "float16", "bfloat16");
export const any4bitFormat = fc.constantFrom("nf4", "fp4", "af4");
