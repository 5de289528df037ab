/**
 * A tensor is dtype + shape + storage of one backend. It is not an array: its elements are reached by `read()` alone,
 * the one place where waiting happens. It never changes device unasked.
 */
import type { Backend } from "./backend.js";

export interface ArrayOf {
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int32: Int32Array;
}
export type DType = keyof ArrayOf;
export type Float = "float32" | "float16" | "bfloat16";
export type Shape = readonly number[];

/** Immutable except as an optimizer's `inout`. Handles share counted storage: `reshape` adds a handle, `dispose` drops one. */
export interface Tensor<D extends DType = DType> extends Disposable {
  readonly dtype: D;
  readonly shape: Shape;
  readonly size: number;
  readonly byteLength: number;
  readonly backend: Backend;
  readonly disposed: boolean;
  /** A fresh copy, after everything enqueued before this call; rejects with the fault of any operation the tensor derives from. */
  read(options?: { signal?: AbortSignal }): Promise<ArrayOf[D]>;
  reshape(shape: Shape): Tensor<D>;
  to(backend: Backend): Promise<Tensor<D>>;
  /** Idempotent; storage returns to the pool in queue order, never under a running kernel. */
  dispose(): void;
}
