/** What the page asks of the worker that quantizes. */
import type { CheckpointProgress, CheckpointReport, TensorReport } from "@halfbyte/core";
import type { Call } from "../calls.js";
import type { TensorFigures } from "./element-errors.js";

export interface FormatChoice {
  /** nf4, fp4, af4 or int8. */
  readonly format: string;
  /** 4-bit formats only. */
  readonly blockSize?: number;
  readonly nested?: boolean;
}

export interface Input {
  readonly files: readonly File[];
  readonly choice: FormatChoice;
}

/** A tensor before anything is done. */
export type PlannedRow = Pick<TensorReport, "name" | "dtype" | "shape" | "bytesIn" | "reason"> & {
  readonly quantize: boolean;
};

export interface Plan {
  readonly tensors: readonly PlannedRow[];
  readonly bytesIn: number;
  /** As far as shapes tell it. */
  readonly bytesOut: number;
}

export interface ResultFile {
  readonly name: string;
  readonly file: Blob;
}

export interface Result {
  readonly report: CheckpointReport;
  readonly files: readonly ResultFile[];
  /** Of quantized tensors, by name. */
  readonly figures: ReadonlyMap<string, TensorFigures>;
  readonly ms: number;
  /** Which kernels did it, such as `cpu (wasm-relaxed)`. */
  readonly backend: string;
  /** Where the result lies until it is saved. */
  readonly kept: "disk" | "memory";
}

export type QuantizeProgress = { readonly stage: "quantize" | "measure" } & CheckpointProgress;

export interface QuantizeCalls {
  /** Opens the backend; what it needs is loaded then. */
  readonly ready: Call<null, { readonly backend: string }>;
  readonly example: Call<null, File>;
  readonly plan: Call<Input, Plan>;
  readonly quantize: Call<Input, Result, QuantizeProgress>;
}
