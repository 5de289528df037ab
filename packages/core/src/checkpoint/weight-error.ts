/** How far a quantized weight is from the original: the usual figures, from the sums of `quantizationError`. */
import { errorSums } from "../kernels.js";
import type { QuantizedTensor } from "../quantized-tensor.js";
import type { Float, Tensor } from "../tensor.js";

export interface WeightError {
  readonly maxAbs: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Signal-to-quantization-noise ratio in dB; Infinity for an exact copy. */
  readonly sqnrDb: number;
  readonly cosine: number;
}

/** Compares a weight with its original on their device. All figures are NaN when a value is not finite. */
export async function weightError(
  weight: QuantizedTensor,
  x: Tensor<Float>,
  signal?: AbortSignal,
): Promise<WeightError> {
  using sums = x.backend.kernels.quantizationError({ x, weight }).sums;
  return summarized(await sums.read(signal ? { signal } : {}), x.size);
}

/** The rows of all segments as one, in float64. */
export function summarized(sums: Float32Array, size: number): WeightError {
  let [maxAbs, noise, signal, energy, product] = [0, 0, 0, 0, 0];
  for (let row = 0; row < sums.length; row += errorSums.columns.length) {
    const scale = sums[row]!;
    const area = scale * scale;
    maxAbs = Math.max(maxAbs, sums[row + 1]! * scale);
    noise += sums[row + 2]! * area;
    signal += sums[row + 3]! * area;
    energy += sums[row + 4]! * area;
    product += sums[row + 5]! * area;
  }
  const lengths = Math.sqrt(signal * energy);
  return {
    maxAbs,
    rmse: size === 0 ? 0 : Math.sqrt(noise / size),
    sqnrDb: noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise),
    cosine: lengths === 0 ? 1 : product / lengths,
  };
}
