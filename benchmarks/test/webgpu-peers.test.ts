/** The peers of the WebGPU backend on Dawn: each multiplies rightly on the device that is given to it. */
import { referenceBackend } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import type { Clock } from "../src/measure/clock.js";
import { type OnnxOp, onnxOps } from "../src/onnx/linear.js";
import { webgpuPeers } from "../src/peers/webgpu-peers.js";
import { activationsOf } from "../src/product.js";
import type { Spec } from "../src/spec.js";
import type { OpenedAdapter } from "../src/webgpu/adapter.js";
import { gpuClock } from "../src/webgpu/clocks.js";
import { nodeModules, openOnDawn } from "../src/webgpu/dawn.js";
import { denseValues, hostWeight, weightsOn } from "../src/weights.js";
import { openedOr } from "./webgpu-adapter.js";

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

/** Relative errors against float64; at level 4 activations become int8. */
const boundOf = (name: string): number => (name.includes("level 4") ? 2e-2 : 2e-6);

async function candidates(device: GPUDevice, m: number) {
  const shape = { ...spec.shape, m };
  const [tensor] = await weightsOn(referenceBackend(), "nf4", shape.n, shape.k, 1);
  const kind = { weight: await hostWeight(tensor!), dense: await denseValues(tensor!) };
  const { values: x } = activationsOf("float32", m * shape.k);
  const peers = webgpuPeers(device, nodeModules);
  const inputs = new Map([[shape.k, x]]);
  const work = (op: OnnxOp) => ({ op, layers: [kind, kind], inputs, unitsPerRun: 2 });
  return [
    ...onnxOps.map((op) => peers.onnx({ ...spec, shape }, work(op))),
    ...peers.dense({ shape, x, weight: kind.dense }),
  ];
}

/** Libraries stay with the device they were given first. */
let shared: Promise<OpenedAdapter> | undefined;
let clock: Clock | undefined;

describe("peers on WebGPU in Node", () => {
  it.for([1, 20])("multiply with %i rows of activations", { timeout: 120_000 }, async (m, ctx) => {
    await openedOr(ctx);
    shared ??= openOnDawn();
    const { device } = await shared;
    clock ??= gpuClock(device);
    for (const { name, prepare } of await candidates(device, m)) {
      const { relativeError, subject, isElsewhere, dispose } = await prepare();
      expect(relativeError, name).toBeLessThan(boundOf(name));
      expect(Math.min(...(await subject.sample(2, false))), name).toBeGreaterThan(0);
      if (!isElsewhere) expect(Math.min(...(await subject.sample(2, false, clock))), name).toBeGreaterThan(0);
      await dispose();
    }
  });
});
