/**
 * The operation table: every operation a backend can run, with its arguments and results. The same stem names an operation
 * in TypeScript, C++, CUDA and WGSL; the support matrix of the docs is generated from `opNames`.
 */
import type { QuantizedTensor } from "./quantized-tensor.js";
import type { Float, Tensor } from "./tensor.js";

export type Profile = "reference" | "cuda" | "cpu";
export type NonFinite = "error" | "propagate";
/** f32 | 16-bit integer path, default for 16-bit x | int8 activations, only on request. */
export type Accuracy = "exact" | "fast" | "turbo";
type F = Tensor<Float>;
type F32 = Tensor<"float32">;
type U8 = Tensor<"uint8">;
type I8 = Tensor<"int8">;
type I32 = Tensor<"int32">;
export type Optimizer = "adam" | "adamw" | "lamb" | "ademamix" | "momentum" | "lars" | "lion" | "rmsprop" | "adagrad";
/** Everything step-dependent. AdEMAMix schedules are computed by the caller (`ademamixSchedule`). */
export interface Step {
  /** Counts from 1. */
  step: number;
  lr: number;
  beta1: number;
  beta2: number;
  beta3: number;
  alpha: number;
  eps: number;
  weightDecay: number;
  /** Multiplies every gradient first. */
  gradScale: number;
  /** Trust ratio of LAMB and LARS, 0 for none; 8-bit updates ignore it, as upstream. */
  maxUnorm: number;
  /** Elements whose gradient is zero keep parameter and state. */
  skipZeros: boolean;
}
interface Op<In, Out> {
  in: In;
  out: Out;
}
/** Output shapes follow from input shapes alone: no operation waits for data. `code` has 16 or 256 entries. */
export interface Ops {
  quantize4bit: Op<
    { x: F; format: string; blockSize: number; profile?: Profile; nonFinite?: NonFinite },
    { codes: U8; absmax: F32 }
  >;
  dequantize4bit: Op<{ weight: QuantizedTensor; dtype: Float }, { out: F }>;
  quantizeBlockwise: Op<
    { x: F; code: F32; blockSize: number; profile?: Profile; nonFinite?: NonFinite },
    { codes: U8; absmax: F32 }
  >;
  dequantizeBlockwise: Op<
    { codes: U8; absmax: F32; code: F32; blockSize: number; offset?: number; dtype: Float },
    { out: F }
  >;
  /** How far a weight of any format is from its original `x`: a row of `errorSums` per segment of flat elements. */
  quantizationError: Op<{ x: F; weight: QuantizedTensor }, { sums: F32 }>;
  /** [..,K]·[N,K]ᵀ; transpose: [..,N]·[N,K]. */
  gemm4bit: Op<{ x: F; weight: QuantizedTensor; bias?: F; transpose?: boolean; accuracy?: Accuracy }, { out: F }>;
  gemm: Op<{ x: F; weight: F; bias?: F; transpose?: boolean }, { out: F }>;
  /** `outlierColumns` is a mask [K]. */
  int8VectorwiseQuant: Op<
    { x: F; threshold: number; nonFinite?: NonFinite },
    { q: I8; rowStats: F32; outlierColumns: U8 }
  >;
  int8VectorwiseDequant: Op<{ q: I8; rowStats: F32 }, { out: F32 }>;
  int8LinearMatmul: Op<{ a: I8; b: I8 }, { out: I32 }>;
  int8MmDequant: Op<{ a: I32; rowStats: F32; colStats: F32; bias?: F; dtype: Float; profile?: Profile }, { out: F }>;
  int8ScaledMm: Op<
    { a: I8; b: I8; rowStats: F32; colStats: F32; bias?: F; dtype: Float; profile?: Profile },
    { out: F }
  >;
  int8MixedScaledMm: Op<
    { x: F; a: I8; b: I8; rowStats: F32; colStats: F32; outlierColumns: U8; bias?: F; profile?: Profile },
    { out: F }
  >;
  /** inout: param, state1, state2. */
  optimizerUpdate32bit: Op<
    { optimizer: Optimizer; param: F; grad: F; state1: F32; state2?: F32; step: Step; profile?: Profile },
    { updateNorm: F32 }
  >;
  /** inout: param, states, absmax. */
  optimizerUpdate8bitBlockwise: Op<
    {
      optimizer: Optimizer;
      param: F;
      grad: F;
      state1: U8;
      state2?: U8;
      code1: F32;
      code2?: F32;
      absmax1: F32;
      absmax2?: F32;
      blockSize: number;
      step: Step;
      profile?: Profile;
    },
    Record<never, never>
  >;
}
export type OpName = keyof Ops;

/**
 * What `quantizationError` tells of each segment, x being its original values and y the decoded ones: `scale`, and in units of it max|x − y|,
 * Σ(x − y)², Σx², Σy² and Σx·y. The scale is the power of two of the largest |x| or |y|, at least 2⁻¹²⁶ and at most 2¹²⁶: so no square
 * overflows, and what vanishes is nothing beside the largest. A segment with a value that is not finite has NaN in every column.
 */
export const errorSums = {
  /** Elements; the last segment may be shorter. Results do not depend on how a device shares the segments. */
  segment: 4096,
  columns: ["scale", "maxAbs", "noise", "signal", "energy", "product"],
} as const;
/** Validates now, enqueues now, returns now. `into` supplies outputs to reuse. */
export type Kernels = { readonly [K in OpName]: (args: Ops[K]["in"], into?: Partial<Ops[K]["out"]>) => Ops[K]["out"] };

/** Every operation, in the order of the table. */
export const opNames = [
  "quantize4bit",
  "dequantize4bit",
  "quantizeBlockwise",
  "dequantizeBlockwise",
  "quantizationError",
  "gemm4bit",
  "gemm",
  "int8VectorwiseQuant",
  "int8VectorwiseDequant",
  "int8LinearMatmul",
  "int8MmDequant",
  "int8ScaledMm",
  "int8MixedScaledMm",
  "optimizerUpdate32bit",
  "optimizerUpdate8bitBlockwise",
] as const satisfies readonly OpName[];
