/** Products on the emulated device, held to float64 products of the same operands. */

import { matmulBound } from "@halfbyte/conformance";
import {
  type Accuracy,
  type Backend,
  createQuantizedTensor,
  createRandom,
  type Float,
  fromFloat32,
  type QuantizedTensor,
  referenceBackend,
  type Scales,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { expect } from "vitest";
import { openEmulated } from "./emulated.js";

/** Of a device without tensor cores, and of one with all of them. */
export const [withoutTensorCores, withTensorCores] = ["6.1", "9.0"] as const;

/** The emulated device as one of this compute capability. */
export async function openWithCapability(capability: string): Promise<Backend> {
  process.env["HALFBYTE_EMULATED_CAPABILITY"] = capability;
  try {
    return await openEmulated();
  } finally {
    delete process.env["HALFBYTE_EMULATED_CAPABILITY"];
  }
}

export interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Scales that are codes themselves. */
export interface Nesting {
  readonly blockSize: number;
  readonly offset: number;
}

export interface WeightOptions {
  readonly format?: string;
  /** 16 numbers of its own. */
  readonly table?: Float32Array;
  readonly blockSize?: number;
  readonly nested?: Nesting;
  readonly seed?: number;
}

export function normals(size: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => random.normal() * scale);
}

export const floats = (backend: Backend, dtype: Float, shape: readonly number[], values: Float32Array): Tensor<Float> =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

/** Values as the dtype has them. */
export const rounded = (dtype: Float, values: Float32Array): Float32Array =>
  toFloat32(dtype, fromFloat32(dtype, values));

const bytes = (size: number, seed: number): Uint8Array => {
  const random = createRandom(seed);
  return Uint8Array.from({ length: size }, () => Math.floor(random.uniform() * 256));
};

/** Codes at random, the same for the same options on every backend: whatever blocks and tables quantizers would refuse. */
export function weight4bit(backend: Backend, n: number, k: number, options: WeightOptions = {}): QuantizedTensor {
  const { format = "nf4", table, blockSize = 64, nested, seed = 1 } = options;
  const blocks = Math.ceil((n * k) / blockSize);
  return createQuantizedTensor({
    format,
    shape: [n, k],
    dtype: "float32",
    blockSize,
    codes: backend.tensor("uint8", [Math.ceil((n * k) / 2)], bytes(Math.ceil((n * k) / 2), seed)),
    scales: nested ? nestedScales(backend, blocks, nested, seed) : plainScales(backend, blocks, seed),
    ...(table && { code: backend.tensor("float32", [16], table) }),
  });
}

const positive = (size: number, seed: number, scale: number) =>
  normals(size, seed, scale).map((x) => Math.abs(x) + scale);

const plainScales = (backend: Backend, blocks: number, seed: number): Scales => ({
  kind: "block",
  absmax: backend.tensor("float32", [blocks], positive(blocks, seed + 1, 0.03)),
});

function nestedScales(backend: Backend, blocks: number, { blockSize, offset }: Nesting, seed: number): Scales {
  const groups = Math.ceil(blocks / blockSize);
  return {
    kind: "nested",
    absmax: backend.tensor("uint8", [blocks], bytes(blocks, seed + 1)),
    nestedAbsmax: backend.tensor("float32", [groups], positive(groups, seed + 2, 0.02)),
    nestedCode: backend.tensor("float32", [256], normals(256, 17).sort()),
    nestedBlockSize: blockSize,
    // Libraries take it as f32.
    offset: Math.fround(offset),
  };
}

/** The f32 weights that codes stand for, as the reference kernels decode them. */
export async function decoded(n: number, k: number, options: WeightOptions): Promise<Float32Array> {
  using weight = weight4bit(referenceBackend(), n, k, options);
  using out = referenceBackend().kernels.dequantize4bit({ weight, dtype: "float32" }).out;
  return (await out.read()) as Float32Array;
}

export interface Operands extends Sizes {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly bias?: Float32Array | undefined;
  /** x[m, n] · W[n, k]. */
  readonly transpose?: boolean;
}

/** Every number of the result is within the bound of its accuracy, and of one rounding; exact: f32 products and sums. */
export async function expectProduct(
  out: Tensor<Float>,
  operands: Operands,
  accuracy: Accuracy = "exact",
): Promise<void> {
  const { m, n, k, transpose = false } = operands;
  const bound = matmulBound(out.dtype, accuracy, transpose ? n : k);
  const found = toFloat32(out.dtype, await out.read());
  const columns = transpose ? k : n;
  expect(found.length).toBe(m * columns);
  for (let i = 0; i < found.length; i++) {
    const [r, s] = truth(operands, Math.floor(i / columns), i % columns);
    const error = Math.abs(found[i]! - r);
    if (!(error <= bound(r, s)))
      expect.fail(`[${Math.floor(i / columns)}, ${i % columns}] is ${found[i]}, expected ${r} ± ${bound(r, s)}`);
  }
}

/** One number of the product in float64, and the sum of the magnitudes. */
function truth({ x, weight, bias, n, k, transpose }: Operands, row: number, column: number): readonly [number, number] {
  const inner = transpose ? n : k;
  let [sum, size] = [0, 0];
  for (let i = 0; i < inner; i++) {
    const term = x[row * inner + i]! * weight[transpose ? i * k + column : column * k + i]!;
    sum += term;
    size += Math.abs(term);
  }
  return [sum + (bias?.[column] ?? 0), size];
}
