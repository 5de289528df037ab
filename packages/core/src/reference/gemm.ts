/**
 * Dense and 4-bit matrix products, row of the weight by row of the weight, in slices of a few rows of x. Products and sums are in float64 and rounded
 * once, so that the reference can stand for the true value.
 */
import { narrow } from "../dtype.js";
import type { ArrayOf, Float } from "../tensor.js";
import type { Phase } from "./slice-queue.js";

/** Widens row `n` of a weight [N, K] into `row`. */
export type WeightRow = (n: number, row: Float32Array) => void;

export interface Gemm {
  /** [M, K], or [M, N] when transposed. */
  readonly x: Float32Array;
  readonly weightRow: WeightRow;
  readonly bias?: Float32Array;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly out: ArrayOf[Float];
}

/** out[M, N] = x[M, K] · W[N, K]ᵀ + bias. Column by column of the output, so that each weight row is decoded once per slice. */
export function gemmPhases(job: Gemm): Phase[] {
  const row = new Float32Array(job.k);
  const value = new Float32Array(1);
  let decoded = -1;
  const run = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) {
      const [n, m] = [Math.floor(i / job.m), i % job.m];
      if (n !== decoded) job.weightRow(n, row);
      decoded = n;
      value[0] = dot(job.x, m * job.k, row) + (job.bias?.[n] ?? 0);
      narrow(job.dtype, value, 1, job.out, m * job.n + n);
    }
  };
  return [{ rows: job.n * job.m, rowCost: job.k, run }];
}

function dot(x: Float32Array, offset: number, row: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += x[offset + k]! * row[k]!;
  return sum;
}

/** out[M, K] = x[M, N] · W[N, K] + bias: the gradient with respect to the input. */
export function transposedGemmPhases(job: Gemm): Phase[] {
  const row = new Float32Array(job.k);
  const sums = new Float64Array(job.m * job.k);
  let decoded = -1;
  const accumulate = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) {
      const [n, m] = [Math.floor(i / job.m), i % job.m];
      if (n !== decoded) job.weightRow(n, row);
      decoded = n;
      addScaled(sums, m * job.k, job.x[m * job.n + n]!, row);
    }
  };
  const store = (begin: number, end: number) => {
    for (let m = begin; m < end; m++) {
      for (let k = 0; k < job.k; k++) row[k] = sums[m * job.k + k]! + (job.bias?.[k] ?? 0);
      narrow(job.dtype, row, job.k, job.out, m * job.k);
    }
  };
  return [
    { rows: job.n * job.m, rowCost: job.k, run: accumulate },
    { rows: job.m, rowCost: job.k, run: store },
  ];
}

function addScaled(sums: Float64Array, offset: number, factor: number, row: Float32Array): void {
  for (let k = 0; k < row.length; k++) sums[offset + k]! += factor * row[k]!;
}
