/** Libraries that multiply with float32 weights only: TensorFlow.js, gpu.js, and a plain loop, on the CPU. */
import type { Candidate, PeerRun } from "../case.js";
import { timed } from "../measure/subject.js";
import { productError } from "../product.js";
import { type GpuJs, gpuJsRun } from "./gpu-js.js";
import { folderOf, importPeer, versionOf } from "./peer.js";
import type { DenseProduct } from "./peer-set.js";

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

export function gpuJsCandidate(product: DenseProduct): Candidate {
  return {
    family: "gpu.js",
    name: "gpu.js dense",
    async prepare() {
      const module = await importPeer("gpu.js", () => import("gpu.js"));
      return { ...(await gpuJsRun(module as unknown as GpuJs, product)), version: versionOf("gpu.js") };
    },
  };
}

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
