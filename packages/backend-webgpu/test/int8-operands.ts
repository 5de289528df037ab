/** What the tests of LLM.int8() share: operands, and the comparison with the reference, byte by byte. */
import {
  type Backend,
  createBackend,
  createRandom,
  type Float,
  fromFloat32,
  type NonFinite,
  type Profile,
  referenceBackend,
  type Tensor,
} from "@halfbyte/core";
import { expect, type TestContext } from "vitest";
import { webgpu } from "../src/index.js";
import { skipWithoutAdapter } from "./open.js";

/** Bytes of a piece that is smaller than a few rows: less than the self-test's own tensors take. */
const pieceBytes = 4096;

/** A backend whose tensors lie in many pieces, without a self-test. */
export async function openInPieces(context: TestContext): Promise<Backend> {
  await skipWithoutAdapter(context);
  const device = await webgpu({ pieceBytes }).open();
  return createBackend(device, { chosen: device.name, skipped: [], selfTest: { cases: 0, ms: 0, cached: false } });
}

export const dtypes = ["float32", "float16", "bfloat16"] as const;
export const profiles = ["reference", "cuda"] as const;

export function normals(size: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => scale * random.normal());
}

export function codes(size: number, seed: number): Int8Array {
  const random = createRandom(seed);
  return Int8Array.from({ length: size }, () => -128 + Math.floor(256 * random.uniform()));
}

export const tensorOf = (backend: Backend, dtype: Float, shape: readonly number[], values: Float32Array) =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

export async function bytesOf(tensor: Tensor): Promise<Uint8Array> {
  const array = await tensor.read();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** What `compute` gives on a backend and on the reference. */
export async function expectSameBytes(
  backend: Backend,
  name: string,
  compute: (backend: Backend) => readonly Tensor[],
): Promise<void> {
  const [found, expected] = await Promise.all(
    [backend, referenceBackend()].map((one) => Promise.all(compute(one).map(bytesOf))),
  );
  for (const [i, bytes] of found!.entries())
    expect(firstOtherByte(bytes, expected![i]!), `${name}, result ${i}: first other byte`).toBe(-1);
}

const firstOtherByte = (found: Uint8Array, expected: Uint8Array): number =>
  found.length === expected.length ? found.findIndex((byte, i) => byte !== expected[i]) : 0;

export interface Rows {
  readonly x: Float32Array;
  readonly k: number;
  readonly dtype?: Float;
  readonly threshold?: number;
  readonly nonFinite?: NonFinite;
}

export function quantized(backend: Backend, { x, k, dtype = "float32", threshold = 0, nonFinite = "error" }: Rows) {
  const tensor = tensorOf(backend, dtype, [k === 0 ? 3 : x.length / k, k], x);
  return backend.kernels.int8VectorwiseQuant({ x: tensor, threshold, nonFinite });
}

export interface Layer {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly bias?: Float | undefined;
  readonly profile?: Profile;
}

export function operands(backend: Backend, { m, n, k, bias, profile = "reference" }: Layer) {
  const positive = (size: number, seed: number) => normals(size, seed).map((value) => Math.abs(value) + 0.1);
  return {
    a: backend.tensor("int8", [m, k], codes(m * k, 1)),
    b: backend.tensor("int8", [n, k], codes(n * k, 2)),
    rowStats: backend.tensor("float32", [m], positive(m, 3)),
    colStats: backend.tensor("float32", [n], positive(n, 4)),
    profile,
    ...(bias ? { bias: tensorOf(backend, bias, [n], normals(n, 5)) as Tensor<Float> } : {}),
  };
}
