/** WebGPU in Node: Dawn, and what libraries made for browsers look for around it. */
import { createRequire } from "node:module";
import type { Settings } from "../case.js";
import type { Ort } from "../onnx/stack.js";
import type { GpuJs } from "../peers/gpu-js.js";
import { importPeer, versionOf } from "../peers/peer.js";
import type { PeerModules } from "../peers/webgpu-peers.js";
import { type OpenedAdapter, openAdapter } from "./adapter.js";
import { openWebgpuBench, type WebgpuBench } from "./bench.js";

/** Never let go: Dawn crashes when its instance is collected before what was made with it. */
let instance: GPU | undefined;

/** Timestamps in full: a trusted program needs no blurred clock. */
const dawnOptions = ["disable-dawn-features=timestamp_quantization"];

export async function openDawn(): Promise<GPU> {
  const { create, globals } = await importPeer("webgpu", () => import("webgpu"));
  instance ??= create(dawnOptions);
  Object.assign(globalThis, globals);
  const navigator = { ...browserFacts(), gpu: instance };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  return instance;
}

const browserFacts = () => ({
  userAgent: `Node.js/${process.versions.node}`,
  hardwareConcurrency: globalThis.navigator?.hardwareConcurrency ?? 1,
});

export async function openOnDawn(): Promise<OpenedAdapter> {
  const gpu = await openDawn();
  const opened = await openAdapter(gpu, `Node ${process.versions.node}, Dawn of webgpu ${versionOf("webgpu")}`);
  acceptSharedMemory(opened.device.queue);
  return opened;
}

export const openDawnBench = async (settings: Settings): Promise<WebgpuBench> =>
  openWebgpuBench(await openOnDawn(), settings, nodeModules);

/** Browsers write from a WebAssembly memory that threads share; Dawn for Node wants a copy. */
function acceptSharedMemory(queue: GPUQueue): void {
  const write = queue.writeBuffer.bind(queue);
  queue.writeBuffer = (buffer, offset, data, ...range) => {
    const isShared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    return write(buffer, offset, isShared ? new Uint8Array(data as Uint8Array) : data, ...range);
  };
}

const require = createRequire(import.meta.url);

/** All of them are made for browsers, and run. */
export const nodeModules: PeerModules = {
  async onnxruntime() {
    const ort = await importPeer("onnxruntime-web", () => import("onnxruntime-web/webgpu"));
    ort.env.wasm.numThreads = 1;
    return { module: ort as unknown as Ort, version: ort.env.versions.web ?? "unknown" };
  },
  async tfjs() {
    const core = await importPeer("@tensorflow/tfjs-core", () => import("@tensorflow/tfjs-core"));
    // Its ES module imports files without their extensions, which Node does not find.
    const webgpu = await importPeer("@tensorflow/tfjs-backend-webgpu", async () =>
      require("@tensorflow/tfjs-backend-webgpu"),
    );
    return { core, webgpu, version: versionOf("@tensorflow/tfjs-backend-webgpu") };
  },
  async gpuJs() {
    const module = (await importPeer("gpu.js", () => import("gpu.js"))) as unknown as GpuJs;
    return { module, version: versionOf("gpu.js") };
  },
};
