/** The float64 side of what tolerances refer to, products and errors of weights, computed here and by no kernel. */
import type { WeightError } from "@halfbyte/core";

export interface Product {
  /** [rows, n] */
  readonly r: Float64Array;
  /** Σ|a·w| of each element, without the bias. */
  readonly s: Float64Array;
  readonly k: number;
}

/** a [rows, k] · w [n, k]ᵀ + bias [n]. */
export function productOf(a: Float64Array, w: Float64Array, k: number, bias?: Float64Array): Product {
  const n = w.length / k;
  const rows = a.length / k;
  const [r, s] = [new Float64Array(rows * n), new Float64Array(rows * n)];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < n; column++) {
      const at = row * n + column;
      let [sum, size] = [0, 0];
      for (let i = 0; i < k; i++) {
        const term = a[row * k + i]! * w[column * k + i]!;
        sum += term;
        size += Math.abs(term);
      }
      r[at] = sum + (bias?.[column] ?? 0);
      s[at] = size;
    }
  }
  return { r, s, k };
}

/** [rows, columns] → [columns, rows]. */
export function transposed(matrix: Float64Array, columns: number): Float64Array {
  const rows = matrix.length / columns;
  return Float64Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
}

export interface Codes4bit {
  readonly packed: Uint8Array;
  /** One per block, de-nested. */
  readonly absmax: ArrayLike<number>;
  /** 16 values. */
  readonly code: Float32Array;
  readonly blockSize: number;
  /** Elements; an odd count leaves a nibble over. */
  readonly size: number;
}

/** The unrounded weights of 4-bit codes: fr(code · absmax), as every backend decodes before any rounding to a dtype. */
export function decode4bit({ packed, absmax, code, blockSize, size }: Codes4bit): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => {
    const byte = packed[i >> 1]!;
    return Math.fround(code[i & 1 ? byte & 15 : byte >> 4]! * absmax[Math.floor(i / blockSize)]!);
  });
}

/** How far y is from x, figure by figure. */
export function weightErrorOf(x: ArrayLike<number>, y: ArrayLike<number>): WeightError {
  let [maxAbs, noise, signal, energy, product] = [0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i]!, y[i]!];
    maxAbs = Math.max(maxAbs, Math.abs(a - b));
    noise += (a - b) ** 2;
    signal += a * a;
    energy += b * b;
    product += a * b;
  }
  const sqnrDb = noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
  return { maxAbs, rmse: Math.sqrt(noise / x.length), sqnrDb, cosine: product / Math.sqrt(signal * energy) };
}
