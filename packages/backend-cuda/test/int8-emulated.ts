/** What the tests of LLM.int8() on the emulated device share: that device and the reference, and what both are given. */
import {
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type NonFinite,
  openBackend,
  type Profile,
  reference,
  type Tensor,
} from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

export let cuda: Backend;
export let oracle: Backend;

/** Opens both for the tests of a file. */
export function useDevices(): void {
  // The library may have to be built first.
  beforeAll(async () => {
    if (noEmulation) return;
    cuda = await openEmulated();
    oracle = await openBackend([reference()], { order: ["reference"] });
  }, 300_000);
  afterAll(async () => {
    await cuda?.dispose();
    await oracle?.dispose();
  });
  beforeEach(({ skip }) => {
    if (noEmulation) skip(noEmulation);
  });
}

/** Tensor cores for bytes, with asynchronous copies and without, and none. */
export const capabilities = ["9.0", "7.5", "7.0"] as const;

/** The device of these tests is another one. */
export function useCapability(capability: string): void {
  let usual: Backend;
  beforeAll(async () => {
    if (noEmulation) return;
    usual = cuda;
    process.env["HALFBYTE_EMULATED_CAPABILITY"] = capability;
    cuda = await openEmulated();
  });
  afterAll(async () => {
    delete process.env["HALFBYTE_EMULATED_CAPABILITY"];
    if (noEmulation) return;
    await cuda.dispose();
    cuda = usual;
  });
}

export const dtypes = ["float32", "float16", "bfloat16"] as const;

export const normals = (size: number, seed: number, scale = 1): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => scale * random.normal());
};

export const codes = (size: number, seed: number): Int8Array => {
  const random = createRandom(seed);
  return Int8Array.from({ length: size }, () => -128 + Math.floor(256 * random.uniform()));
};

export const tensorOf = (backend: Backend, dtype: Float, shape: readonly number[], values: Float32Array) =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

export async function bytesOf(tensor: Tensor): Promise<Uint8Array> {
  const array = await tensor.read();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** What `compute` gives on the emulated device and on the reference, byte by byte. */
export async function expectSameBytes(compute: (backend: Backend) => readonly Tensor[]): Promise<void> {
  const [found, expected] = await Promise.all(
    [cuda, oracle].map((backend) => Promise.all(compute(backend).map((tensor) => bytesOf(tensor)))),
  );
  found!.forEach((bytes, i) => void expect(Buffer.compare(bytes, expected![i]!), `result ${i}`).toBe(0));
}

export interface Rows {
  readonly x: Float32Array;
  readonly k: number;
  readonly dtype?: Float;
  readonly threshold?: number;
  readonly nonFinite?: NonFinite;
}

export function quantized(backend: Backend, { x, k, dtype = "float32", threshold = 0, nonFinite = "error" }: Rows) {
  return backend.kernels.int8VectorwiseQuant({
    x: tensorOf(backend, dtype, [x.length / k, k], x),
    threshold,
    nonFinite,
  });
}

export interface Layer {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly bias?: Float | undefined;
  readonly profile: Profile;
}

export function operands(backend: Backend, { m, n, k, bias, profile }: Layer) {
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

/** The integer product of fixed operands. */
export const product = (m: number, n: number, k: number) => (backend: Backend) => [
  backend.kernels.int8LinearMatmul({
    a: backend.tensor("int8", [m, k], codes(m * k, m + k)),
    b: backend.tensor("int8", [n, k], codes(n * k, n + k)),
  }).out,
];
