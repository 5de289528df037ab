/**
 * The one table of tolerances: everything that is not compared bit for bit, with its reason; a backend has no table of its own.
 * Golden cases are judged by the bounds the backend contract states, with one exception: `int8Constant` is wider, and says why.
 */
import type { Accuracy, Float } from "@halfbyte/core";

/** u: half the distance from 1 to the next number of the dtype. */
export const unitRoundoff: Readonly<Record<Float, number>> = {
  float32: 2 ** -24,
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
};

/**
 * One rounding of r to the dtype: u·|r|, and half a step of the subnormals below the normal range, where u says too little.
 * Vectors are judged with u·|r| alone, as the contract has it; random inputs reach results that small.
 */
export const rounding = (dtype: Float, r: number): number =>
  Math.max(unitRoundoff[dtype] * Math.abs(r), halfSubnormal[dtype]);

const halfSubnormal: Readonly<Record<Float, number>> = { float32: 2 ** -150, float16: 2 ** -25, bfloat16: 2 ** -134 };

/** Relative plus absolute: |found − expected| <= rtol·|expected| + atol. */
export interface Closeness {
  readonly rtol: number;
  readonly atol: number;
  readonly reason: string;
}

/** Steps between neighbouring numbers of the dtype. */
export interface Ulps {
  readonly ulps: number;
  readonly reason: string;
}

/** A bound that grows with S = Σ|a·w| of one output element. */
export interface OfProductSize {
  readonly factor: number;
  readonly reason: string;
}

export const tolerance = {
  nestedOffset: { ulps: 1, reason: "torch sums absmax in f32 in its own order; ours is the float64 sum rounded once" },
  otherMap: {
    ulps: 1,
    reason: "torch.linspace rounds differently with and without FMA; only the default maps are pinned",
  },
  normalMap: {
    rtol: 1e-6,
    atol: 0,
    reason: "scipy's and our inverse normal distribution agree to float64, then divide in f32",
  },
  linear4bitNestedAbsmax: {
    rtol: 1e-6,
    atol: 0,
    reason: "the nested offset may differ by 1 ulp and moves every absmax with it",
  },
  parameter: {
    rtol: 1e-5,
    atol: 1e-6,
    reason: "upstream fuses some multiply-adds of an update; one step, from the vector's state",
  },
  parameter16bit: { ulps: 1, reason: "the f32 results may straddle one rounding boundary of the parameter's dtype" },
  optimizerState: {
    rtol: 1e-5,
    atol: 1e-12,
    reason: "fused or plain multiply-adds; one step, from the vector's state",
  },
  packedKernel: {
    factor: 2 ** -7,
    reason: "upstream's packed CPU kernel rounds activations, table and absmax to bfloat16",
  },
  errorSums: {
    factor: 2 ** -12,
    reason: "4096 f32 products, each rounded, added up in f32 in any order; scale and largest difference are exact",
  },
  largestError: { rtol: 2 ** -23, atol: 0, reason: "differences are rounded once, to f32" },
  weightError: { rtol: 2 ** -11, atol: 0, reason: "roots and ratios of errorSums" },
  packedLinear: {
    factor: 2 ** -6,
    reason: "the packed kernel (2⁻⁷) plus rounding of x, bias and result to the compute dtype",
  },
} as const satisfies Record<string, Closeness | Ulps | OfProductSize>;

/** Codes of an 8-bit optimizer state: equal, except one code step on a small share of the elements. */
export const stateCodes = {
  steps: 1,
  share: 0.005,
  reason: "a state within rounding error of a threshold may land on either side",
};

/** c of |y − r| <= u·|r| + c·S, for a sum of k products. */
export const accumulation: Readonly<Record<Accuracy, { readonly c: (k: number) => number; readonly reason: string }>> =
  {
    exact: {
      c: (k) => 4 * Math.sqrt(k) * 2 ** -24,
      reason: "k f32 roundings in any order; 4·√k covers a random walk of them",
    },
    fast: { c: () => 2 ** -13, reason: "weight · scale and activations go through 16-bit integers with 14 bits kept" },
    turbo: { c: () => 2 ** -6, reason: "activations are quantized to int8 per block" },
  };

/** The accuracy that a matmul runs at when none is asked for (contract §7). */
export const defaultAccuracy = (dtype: Float): Accuracy => (dtype === "float32" ? "exact" : "fast");

/** The bound of a matmul against the float64 product r with unrounded weights. */
export function matmulBound(dtype: Float, accuracy: Accuracy, k: number): (r: number, s: number) => number {
  const u = unitRoundoff[dtype];
  const c = accumulation[accuracy].c(k);
  return (r, s) => u * Math.abs(r) + c * s;
}

/**
 * int8 results of profile `reference` against a vector made with upstream's constant 6.200124e-05. The constants differ by
 * 1.8e-5 < 2⁻¹⁵ of the scaled sum, which is the output without its bias; then both sides round once: two u. The contract's
 * 2⁻¹⁵·|out| + u·|out| leaves out the bias and one of the roundings: exact results fail it in 5 of the stored cases. Beside
 * this bound the same outputs must equal the reference kernels to the bit.
 */
export const int8Constant = (dtype: Float, out: number, bias: number): number =>
  2 ** -15 * Math.abs(out - bias) + 2 * unitRoundoff[dtype] * Math.abs(out);

/** int8 layers, relative to the largest output: two constants (2⁻¹⁵), and the int8 part and the sum each round once (2u). */
export const int8Layer = (dtype: Float): number => 2 ** -15 + 2 * unitRoundoff[dtype];

/** The figures of a measured weight. */
export const errorFigures = ["maxAbs", "rmse", "sqnrDb", "cosine"] as const;

/** Of one of them; decibels are logarithms of a ratio. */
export function errorBound(figure: (typeof errorFigures)[number], expected: number): number {
  if (figure === "maxAbs") return tolerance.largestError.rtol * expected;
  const { rtol } = tolerance.weightError;
  return figure === "sqnrDb" ? 10 * Math.log10(1 + rtol) : rtol * expected;
}
