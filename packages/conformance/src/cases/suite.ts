/** What every group of cases works with: the backend under test, the oracle, and how much to run. */
import type { ArrayOf, Backend, DType, Float, Tensor } from "@halfbyte/core";
import { fromFloat32 } from "@halfbyte/core";
import type { Parameters } from "fast-check";
import { expect } from "vitest";
import type { VectorFiles } from "../golden/vector-files.js";
import { differenceInBits } from "../judge/compare.js";
import { elementsOf, readElements } from "../judge/elements.js";

export interface Suite {
  /** The backend under test; there once the tests run. */
  readonly backend: Backend;
  /** Core's reference kernels, on a backend of their own. */
  readonly oracle: Backend;
  /** A second backend of the provider, for tests that close it. */
  openAnother(): Promise<Backend>;
  /** Where the golden vectors are. */
  vectors(): Promise<VectorFiles>;
  /** Whether to run everything that time allows. */
  readonly full: boolean;
  /** fast-check's parameters for a property that deserves `count` runs at small scale. */
  runs(count: number): Parameters<unknown>;
}

/** Floats of any dtype from f32 values, rounded to nearest even. */
export function floats<D extends Float>(
  backend: Backend,
  dtype: D,
  shape: readonly number[],
  values: Float32Array,
): Tensor<D> {
  return backend.tensor<D>(dtype, shape, fromFloat32(dtype, values) as ArrayOf[D]);
}

/** Both tensors hold the same bits. */
export async function expectSameBits(found: Tensor, expected: Tensor): Promise<void> {
  expect(differenceInBits(await readElements(expected), await readElements(found))).toBeUndefined();
}

/** The tensor holds exactly these values. */
export async function expectValues<D extends DType>(found: Tensor<D>, expected: ArrayOf[D]): Promise<void> {
  expect(differenceInBits(elementsOf(found.dtype, expected), await readElements(found))).toBeUndefined();
}

/** Runs `body` with things to dispose, and disposes them. */
export async function scoped(body: (own: <T extends Disposable>(resource: T) => T) => Promise<void>): Promise<void> {
  const owned: Disposable[] = [];
  const own = <T extends Disposable>(resource: T): T => {
    owned.push(resource);
    return resource;
  };
  try {
    await body(own);
  } finally {
    for (const resource of owned) resource[Symbol.dispose]();
  }
}

/** Takes every output of an operation into a scope. */
export function ownAll<T extends object>(own: <D extends Disposable>(resource: D) => D, outputs: T): T {
  for (const tensor of Object.values<Disposable>(outputs as Record<string, Disposable>)) own(tensor);
  return outputs;
}
