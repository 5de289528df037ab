/** What is measured, as plain data: it travels to the process that measures it, and targets name their cases with it. */
import type { Accuracy, Float } from "@halfbyte/core";

export const suiteNames = [
  "quantize",
  "dequantize",
  "gemm-4bit",
  "int8",
  "optimizer",
  "decode",
  "checkpoint",
  "startup",
] as const;
export type SuiteName = (typeof suiteNames)[number];

/** `warm`: the same tensors again. `cold`: in turn over copies of the weight that no cache holds together. */
export type Temperature = "warm" | "cold";

/** A product is [m, k] · [n, k]ᵀ; element-wise operations work on n · k elements and have m = 1. */
export interface Dimensions {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface Spec {
  readonly suite: SuiteName;
  /** Within the suite: an operation, a model, a step. */
  readonly case: string;
  /** cpu, reference, or an instruction set or tier that the CPU backend shall use: avx2, wasm, … */
  readonly backend: string;
  readonly threads: number;
  readonly format: string | null;
  readonly dtype: Float;
  readonly shape: Dimensions;
  readonly temperature: Temperature;
  /** Null: the default of the dtype, or an operation that has no choice. */
  readonly accuracy: Accuracy | null;
}

/** Equal for equal specs. */
export const keyOf = (spec: Spec): string => {
  const { suite, backend, threads, format, dtype, shape, temperature, accuracy } = spec;
  const { m, n, k } = shape;
  return JSON.stringify([suite, spec.case, backend, threads, format, dtype, m, n, k, temperature, accuracy]);
};

/** Bytes that a rotation goes through, more than any cache keeps. */
export const coldBytes = 378e6;

/** How many copies of something a case takes turns over. */
export const copiesOf = (bytes: number, temperature: Temperature): number =>
  temperature === "warm" ? 1 : Math.max(2, Math.ceil(coldBytes / bytes));
