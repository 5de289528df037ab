/** What every peer of the WebGPU backend says about one small product. */
import type { Backend } from "@halfbyte/core";
import type { Clock } from "../src/measure/clock.js";
import { type OnnxOp, onnxOps } from "../src/onnx/linear.js";
import { type PeerModules, webgpuPeers } from "../src/peers/webgpu-peers.js";
import { activationsOf } from "../src/product.js";
import type { Spec } from "../src/spec.js";
import { denseValues, hostWeight, weightsOn } from "../src/weights.js";

const spec: Spec = {
  suite: "gemm-4bit",
  case: "gemm4bit",
  backend: "webgpu",
  threads: 1,
  format: "nf4",
  dtype: "float32",
  shape: { m: 1, n: 64, k: 128 },
  temperature: "warm",
  accuracy: null,
};

export interface PeerAnswer {
  readonly name: string;
  readonly relativeError: number;
  /** Nanoseconds by the wall's clock and, of peers on the device, by the GPU's. */
  readonly times: readonly number[];
}

/** Relative errors against float64; at level 4 activations become int8. */
export const errorBoundOf = (name: string): number => (name.includes("level 4") ? 2e-2 : 2e-6);

export async function peerFigures(
  host: Backend,
  device: GPUDevice,
  clock: Clock,
  modules: PeerModules,
  m: number,
): Promise<PeerAnswer[]> {
  const answers: PeerAnswer[] = [];
  for (const { name, prepare } of await candidates(host, device, modules, m)) {
    const { relativeError, subject, isElsewhere, dispose } = await prepare();
    const wall = await subject.sample(2, false);
    const own = isElsewhere ? [] : await subject.sample(2, false, clock);
    await dispose();
    answers.push({ name, relativeError: relativeError ?? Number.NaN, times: [...wall, ...own] });
  }
  return answers;
}

async function candidates(host: Backend, device: GPUDevice, modules: PeerModules, m: number) {
  const shape = { ...spec.shape, m };
  const [tensor] = await weightsOn(host, "nf4", shape.n, shape.k, 1);
  const kind = { weight: await hostWeight(tensor!), dense: await denseValues(tensor!) };
  const { values: x } = activationsOf("float32", m * shape.k);
  const peers = webgpuPeers(device, modules);
  const inputs = new Map([[shape.k, x]]);
  const work = (op: OnnxOp) => ({ op, layers: [kind, kind], inputs, unitsPerRun: 2 });
  const onnx = onnxOps.map((op) => peers.onnx({ ...spec, shape }, work(op)));
  return [...onnx, ...peers.dense({ shape, x, weight: kind.dense })];
}
