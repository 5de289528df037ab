/** Synthetic 4-bit weights on a backend. */
import {
  type Backend,
  createQuantizedTensor,
  type Float,
  isHalfbyteError,
  type QuantizedTensor,
  referenceBackend,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { blockSize, normalValues, type Weight4bit } from "./product.js";

/** `copies` weights [n, k] with the same numbers, each in memory of its own. */
export async function weightsOn(backend: Backend, format: string, n: number, k: number, copies: number) {
  const first = await madeOn(backend, (on) => {
    using x = on.tensor("float32", [n, k], normalValues(n * k, 1, 0.02));
    return on.kernels.quantize4bit({ x, format, blockSize });
  });
  return (await copiesOfAll(first, copies)).map(({ codes, absmax }): QuantizedTensor => {
    const scales = { kind: "block", absmax } as const;
    return createQuantizedTensor({ format, shape: [n, k], dtype: "float32", blockSize, codes, scales });
  });
}

/** Tensors that kernels of this backend make; or, where it has none for it, the reference kernels, whose bytes are the same. */
export async function madeOn<T extends object>(backend: Backend, make: (on: Backend) => T): Promise<T> {
  try {
    return make(backend);
  } catch (thrown) {
    if (!isHalfbyteError(thrown) || thrown.code !== "UNSUPPORTED_KERNEL") throw thrown;
  }
  const host = make(referenceBackend());
  const entries = Object.entries(host) as [string, Tensor][];
  const moved = entries.map(async ([name, tensor]) => {
    return [name, backend.tensor(tensor.dtype, tensor.shape, await tensor.read())] as const;
  });
  return Object.fromEntries(await Promise.all(moved)) as T;
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
