/** Synthetic 4-bit weights on a backend. */
import {
  type Backend,
  createQuantizedTensor,
  type Float,
  type QuantizedTensor,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { blockSize, normalValues, type Weight4bit } from "./product.js";

/** `copies` weights [n, k] with the same numbers, each in memory of its own. */
export async function weightsOn(backend: Backend, format: string, n: number, k: number, copies: number) {
  using x = backend.tensor("float32", [n, k], normalValues(n * k, 1, 0.02));
  const first = backend.kernels.quantize4bit({ x, format, blockSize });
  return (await copiesOfAll(first, copies)).map(({ codes, absmax }): QuantizedTensor => {
    const scales = { kind: "block", absmax } as const;
    return createQuantizedTensor({ format, shape: [n, k], dtype: "float32", blockSize, codes, scales });
  });
}

/** The tensors themselves, and copies of them: `count` sets in all. */
export async function copiesOfAll<T extends object>(tensors: T, count: number): Promise<T[]> {
  const entries = Object.entries(tensors) as [string, Tensor][];
  const values = count === 1 ? [] : await Promise.all(entries.map(([, tensor]) => tensor.read()));
  const copy = () =>
    Object.fromEntries(
      entries.map(([name, { backend, dtype, shape }], i) => [name, backend.tensor(dtype, shape, values[i]!)]),
    ) as T;
  return [tensors, ...Array.from({ length: count - 1 }, copy)];
}

/** Bytes that a product must read of a weight: codes and scales. */
export const storedBytes = (n: number, k: number): number =>
  Math.ceil((n * k) / 2) + 4 * Math.ceil((n * k) / blockSize);

/** The weight on the host. */
export async function hostWeight(weight: QuantizedTensor): Promise<Weight4bit> {
  const [n, k] = weight.shape as readonly [number, number];
  const codes = (await weight.codes.read()) as Uint8Array;
  const absmax = (await weight.scales.absmax.read()) as Float32Array;
  return { format: weight.format, n, k, codes, absmax };
}

/** The values of a tensor, widened. */
export const readFloats = async (tensor: Tensor<Float>): Promise<Float32Array> =>
  toFloat32(tensor.dtype, await tensor.read());

/** The weight in float32, for libraries that know no 4-bit floats. */
export async function denseValues(weight: QuantizedTensor): Promise<Float32Array> {
  using out = weight.backend.kernels.dequantize4bit({ weight, dtype: "float32" }).out;
  return (await out.read()) as Float32Array;
}
