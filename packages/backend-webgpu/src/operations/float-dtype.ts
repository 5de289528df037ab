/** Dtypes of float tensors, as float_elements.wgsl numbers and packs them. */
import type { Float } from "@halfbyte/core";

export const dtypeNumber: Readonly<Record<Float, number>> = { float32: 0, float16: 1, bfloat16: 2 };

export const bitsOf = (dtype: Float): number => (dtype === "float32" ? 32 : 16);

/** Rows of a matrix, whose columns are the last dimension. */
export const rowsOf = (shape: readonly number[]): number =>
  shape.slice(0, -1).reduce((product, each) => product * each, 1);

export const lastOf = (shape: readonly number[]): number => shape[shape.length - 1] ?? 1;
