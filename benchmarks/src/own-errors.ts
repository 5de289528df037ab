/** How far our products are from float64. */
import type { Accuracy, Float, QuantizedTensor, Tensor } from "@halfbyte/core";
import { type Activations, productError, rowsOf } from "./product.js";
import type { Dimensions } from "./spec.js";
import { hostWeight, readFloats } from "./weights.js";

export interface OwnErrors {
  readonly relativeError: number;
  readonly unroundedError: number;
}

/** Of `out`, and of the same product with activations and output in float32 at this accuracy. */
export async function ownErrors(
  out: Tensor<Float>,
  { values }: Activations,
  weight: QuantizedTensor,
  shape: Dimensions,
  accuracy: Accuracy,
): Promise<OwnErrors> {
  const { backend } = weight;
  const host = await hostWeight(weight);
  const errorOf = async (y: Tensor<Float>) =>
    productError(await readFloats(y), values, shape, (row) => rowsOf(host, row, row + 1));
  using x = backend.tensor("float32", [shape.m, shape.k], values);
  using unrounded = backend.kernels.gemm4bit({ x, weight, accuracy }).out;
  return { relativeError: await errorOf(out), unroundedError: await errorOf(unrounded) };
}
