/** One thread of soak.long.test.ts: rounds of the same operations on a backend of its own, until the time is up. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import {
  type Backend,
  createDynamicMap,
  createRandom,
  dequantize,
  fromFloat32,
  openBackend,
  quantize,
  type Tensor,
} from "@halfbyte/core";
import { cpu } from "../src/index.js";

export interface SoakReport {
  readonly rounds: number;
  /** Of the results of each operation, the same in every round. */
  readonly digests: Readonly<Record<string, string>>;
  readonly leaked: number;
  /** Alive at the end. */
  readonly tensors: number;
}

const { seconds } = workerData as { seconds: number };
const [m, n, k] = [3, 96, 256];
const map = createDynamicMap();
const betas = { beta1: 0.9, beta2: 0.999, beta3: 0.9999 };
const step = {
  ...betas,
  lr: 1e-3,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.01,
  gradScale: 1,
  maxUnorm: 1,
  step: 3,
  skipZeros: false,
};

/** The same values in every thread and round. */
function normal(backend: Backend, shape: readonly number[], seed: number): Tensor<"bfloat16"> {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal());
  return backend.tensor("bfloat16", shape, fromFloat32("bfloat16", values));
}

const operations: Readonly<Record<string, (backend: Backend) => Promise<Readonly<Record<string, Tensor>>>>> = {
  async weight4bit(backend) {
    using x = normal(backend, [m, k], 1);
    using dense = normal(backend, [n, k], 2);
    using weight = await quantize(dense, { format: "nf4", nested: true });
    return { ...backend.kernels.gemm4bit({ x, weight }), decoded: await dequantize(weight, { dtype: "float16" }) };
  },
  async blockwise8bit(backend) {
    using x = normal(backend, [n, k], 3);
    using code = backend.tensor("float32", [256], map);
    return backend.kernels.quantizeBlockwise({ x, code, blockSize: 256 });
  },
  async int8(backend) {
    using x = normal(backend, [m, k], 4);
    using dense = normal(backend, [n, k], 5);
    const [a, b] = [x, dense].map((tensor) => backend.kernels.int8VectorwiseQuant({ x: tensor, threshold: 3 })) as [
      ReturnType<typeof backend.kernels.int8VectorwiseQuant>,
      ReturnType<typeof backend.kernels.int8VectorwiseQuant>,
    ];
    const { outlierColumns } = a;
    const scales = { rowStats: a.rowStats, colStats: b.rowStats };
    const result = backend.kernels.int8MixedScaledMm({ x, a: a.q, b: b.q, ...scales, outlierColumns });
    for (const tensor of [...Object.values(a), ...Object.values(b)]) tensor.dispose();
    return result;
  },
  async optimizer(backend) {
    const [param, grad] = [normal(backend, [n, k], 8), normal(backend, [n, k], 9)];
    const [state1, state2] = [backend.zeros("float32", [n, k]), backend.zeros("float32", [n, k])];
    const { updateNorm } = backend.kernels.optimizerUpdate32bit({
      optimizer: "adam",
      param,
      grad,
      state1,
      state2,
      step,
    });
    grad.dispose();
    return { param, state1, state2, updateNorm };
  },
  async gemm(backend) {
    using x = normal(backend, [64, k], 6);
    using weight = normal(backend, [n, k], 7);
    return backend.kernels.gemm({ x, weight });
  },
};

/** Of all results, in the order of their names. */
async function digestOf(results: Readonly<Record<string, Tensor>>): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, tensor] of Object.entries(results)) {
    hash.update(name).update(await tensor.read());
    tensor.dispose();
  }
  return hash.digest("hex");
}

async function soak(): Promise<SoakReport> {
  const backend = await openBackend([cpu()], { order: ["cpu"] });
  if (backend.report.chosen !== "cpu") throw new Error("The native library could not be opened.");
  const digests: Record<string, string> = {};
  let rounds = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; rounds++) {
    for (const [name, operation] of Object.entries(operations)) {
      const digest = await digestOf(await operation(backend));
      digests[name] ??= digest;
      if (digests[name] !== digest) throw new Error(`${name} gave another result in round ${rounds}.`);
    }
  }
  await backend.synchronize();
  const { leaked, tensors } = backend.memory();
  await backend.dispose();
  return { rounds, digests, leaked, tensors };
}

parentPort?.postMessage(await soak());
