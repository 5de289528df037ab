/** Peers in a page: inside its bundle, but for the WebAssembly of onnxruntime, which the server has. */
import type { Ort } from "../onnx/stack.js";
import type { GpuJs } from "../peers/gpu-js.js";
import type { PeerModules } from "../peers/webgpu-peers.js";

/** By package; the page cannot ask. */
export type Versions = Readonly<Record<string, string>>;

const unknown = "unknown version";

export const pageModules = (versions: Versions): PeerModules => ({
  async onnxruntime() {
    const ort = await import("onnxruntime-web/webgpu");
    ort.env.wasm.wasmPaths = "/ort/";
    ort.env.wasm.numThreads = 1;
    return { module: ort as unknown as Ort, version: versions["onnxruntime-web"] ?? unknown };
  },
  async tfjs() {
    const [core, webgpu] = await Promise.all([
      import("@tensorflow/tfjs-core"),
      import("@tensorflow/tfjs-backend-webgpu"),
    ]);
    return { core, webgpu, version: versions["@tensorflow/tfjs-backend-webgpu"] ?? unknown };
  },
  async gpuJs() {
    const module = (await import("gpu.js")) as unknown as GpuJs;
    return { module, version: versions["gpu.js"] ?? unknown };
  },
});
