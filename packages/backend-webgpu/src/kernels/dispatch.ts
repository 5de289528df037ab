/** One kernel with its arguments, as the device runs it. */
import type { Storage } from "@halfbyte/core";
import type { KernelVariant } from "../pipelines.js";

export interface Dispatch extends KernelVariant {
  /** The words of binding 0, a uniform. */
  readonly params: Uint32Array;
  /** Bindings 1 and on. */
  readonly storages: readonly Storage[];
  readonly workgroups: number;
}

/** WebGPU counts workgroups in 16 bits a dimension; kernels number them row by row. */
export function grid(workgroups: number): readonly [number, number] {
  const columns = Math.min(workgroups, 65_535);
  return [columns, Math.ceil(workgroups / columns)];
}
