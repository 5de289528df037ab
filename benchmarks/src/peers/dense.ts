/** Libraries that multiply with float32 weights only: TensorFlow.js, gpu.js, and a plain loop. */
import type { Candidate, PeerRun } from "../case.js";
import { timed } from "../measure/subject.js";
import { productError } from "../product.js";
import type { Dimensions } from "../spec.js";
import { folderOf, importPeer, versionOf } from "./peer.js";

/** y [m, n] = x [m, k] · weight [n, k]ᵀ */
export interface DenseProduct {
  readonly shape: Dimensions;
  readonly x: Float32Array;
  readonly weight: Float32Array;
}

type Multiply = () => Promise<ArrayLike<number>> | ArrayLike<number>;

/** Runs once to know the error. */
async function peerRun({ shape, x, weight }: DenseProduct, multiply: Multiply, dispose = () => {}): Promise<PeerRun> {
  const { k } = shape;
  const row = (n: number) => weight.subarray(n * k, (n + 1) * k);
  const relativeError = productError(await multiply(), x, shape, row);
  const subject = timed(async () => {
    await multiply();
  });
  return { subject, relativeError, dispose };
}

export function tfjsCandidate(product: DenseProduct): Candidate {
  return {
    family: "tfjs",
    name: "tfjs wasm matMul",
    async prepare() {
      const tf = await importPeer("@tensorflow/tfjs-core", () => import("@tensorflow/tfjs-core"));
      const wasm = await importPeer("@tensorflow/tfjs-backend-wasm", () => import("@tensorflow/tfjs-backend-wasm"));
      wasm.setWasmPaths(`${folderOf("@tensorflow/tfjs-backend-wasm")}wasm-out/`);
      await tf.setBackend("wasm");
      const { m, n, k } = product.shape;
      const x = tf.tensor2d(product.x, [m, k]);
      const weight = tf.tensor2d(product.weight, [n, k]);
      const multiply = async () => {
        const y = tf.matMul(x, weight, false, true);
        const values = await y.data();
        y.dispose();
        return values;
      };
      const run = await peerRun(product, multiply, () => tf.dispose([x, weight]));
      return { ...run, version: versionOf("@tensorflow/tfjs-core") };
    },
  };
}

/** What is used of gpu.js, whose own types know `input` as a type only. */
interface GpuJs {
  readonly GPU: new () => { createKernel(source: string): GpuKernel; destroy(): Promise<void> };
  /** A typed array as an argument, with its extents from the innermost on. */
  input(values: Float32Array, extents: readonly number[]): object;
}
interface GpuKernel {
  (x: object, weight: object, k: number): Float32Array[];
  setOutput(extents: readonly number[]): GpuKernel;
  setLoopMaxIterations(count: number): GpuKernel;
}

export function gpuJsCandidate(product: DenseProduct): Candidate {
  return {
    family: "gpu.js",
    name: "gpu.js dense",
    async prepare() {
      const { GPU, input } = (await importPeer("gpu.js", () => import("gpu.js"))) as unknown as GpuJs;
      const { m, n, k } = product.shape;
      const gpu = new GPU();
      const kernel = gpu
        .createKernel(gpuProduct)
        .setOutput([n, m])
        .setLoopMaxIterations(2 ** 24);
      const [x, weight] = [input(product.x, [k, m]), input(product.weight, [k, n])];
      const multiply = () => kernel(x, weight, k).flatMap((row) => [...row]);
      const run = await peerRun(product, multiply, () => void gpu.destroy());
      const silent = timed(() => void kernel(x, weight, k));
      return { ...run, subject: silent, version: versionOf("gpu.js") };
    },
  };
}

/** gpu.js compiles source text. */
const gpuProduct = `function (x, weight, k) {
  let sum = 0;
  for (let i = 0; i < k; i++) {
    sum += x[this.thread.y][i] * weight[this.thread.x][i];
  }
  return sum;
}`;

export function plainCandidate(product: DenseProduct): Candidate {
  return {
    family: "plain-js",
    name: "plain JavaScript loop",
    async prepare() {
      const y = new Float32Array(product.shape.m * product.shape.n);
      return { ...(await peerRun(product, () => plainProduct(product, y))), version: process.version };
    },
  };
}

function plainProduct({ shape: { m, n, k }, x, weight }: DenseProduct, y: Float32Array): Float32Array {
  for (let line = 0; line < m; line++)
    for (let row = 0; row < n; row++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += x[line * k + i]! * weight[row * k + i]!;
      y[line * n + row] = sum;
    }
  return y;
}
