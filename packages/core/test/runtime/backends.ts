/** Backends over the reference device and its fakes, and small data for them. */
import { type Backend, createBackend } from "../../src/backend.js";
import type { Device } from "../../src/device.js";
import { createDynamicMap } from "../../src/formats/maps.js";
import type { Step } from "../../src/kernels.js";
import { createRandom } from "../../src/random.js";
import { createReferenceDevice } from "../../src/reference/device.js";
import type { Tensor } from "../../src/tensor.js";

export const backendOn = (device: Device = createReferenceDevice()): Backend =>
  createBackend(device, { chosen: device.name, skipped: [], selfTest: { cases: 0, ms: 0, cached: false } });

export function normals(count: number, seed = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

export const floats = (backend: Backend, shape: readonly number[], seed = 1): Tensor<"float32"> =>
  backend.tensor("float32", shape, normals(size(shape), seed));

const size = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** Normal values, with a NaN at `index`. */
export function poisoned(backend: Backend, count = 128, index = 70): Tensor<"float32"> {
  const values = normals(count);
  values[index] = Number.NaN;
  return backend.tensor("float32", [count], values);
}

export const codebook = (backend: Backend): Tensor<"float32"> => backend.tensor("float32", [256], createDynamicMap());

export const momentumStep: Step = {
  step: 2,
  lr: 0.25,
  beta1: 0,
  beta2: 0,
  beta3: 0,
  alpha: 0,
  eps: 1e-8,
  weightDecay: 0,
  gradScale: 1,
  maxUnorm: 0,
  skipZeros: false,
};

/** The next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** So much work that the reference device cannot do it in one turn: a product of [n, n] matrices. */
export function heavy(backend: Backend, n = 384): Tensor {
  using x = floats(backend, [n, n], 1);
  using weight = floats(backend, [n, n], 2);
  return backend.kernels.gemm({ x, weight }).out;
}
