/** Looking for and opening the gpu.js tier: on WebGL2 where the host has it, as JavaScript in Node. */
import { type Detection, type Device, halfbyteError, throwIfAborted } from "@halfbyte/core";
import { isSoftwareName } from "../adapter.js";
import { GpujsDevice } from "./device.js";
import { Engine } from "./engine.js";
import { loadGpuJs } from "./library.js";
import { createWebGl2, loseContext, rendererOf, type WebGl2 } from "./webgl2.js";

export interface GpujsOptions {
  /** Brings in the package gpu.js where a bundler has to see the import: () => import("gpu.js"). */
  readonly gpujs?: () => Promise<unknown>;
}

/** Throws a typed error where it cannot run. */
export async function detectGpujs({ gpujs }: GpujsOptions): Promise<Detection> {
  const webgl2 = findHost();
  const name = webgl2 ? rendererOf(webgl2.context) : "JavaScript on the CPU";
  if (webgl2) loseContext(webgl2.context);
  await loadGpuJs(gpujs);
  return {
    provider: "webgpu",
    available: true,
    versions: { adapter: `gpu.js on ${name}` },
    sources: [],
    candidates: [],
    devices: [{ id: "gpujs", name, software: !webgl2 || isSoftwareName(name) }],
  };
}

export async function openGpujs({ gpujs, signal }: GpujsOptions & { readonly signal?: AbortSignal }): Promise<Device> {
  throwIfAborted(signal, "Opening the gpu.js tier");
  const GpuJs = await loadGpuJs(gpujs);
  const webgl2 = findHost();
  try {
    return new GpujsDevice(new Engine(GpuJs, webgl2));
  } catch (thrown) {
    if (webgl2) loseContext(webgl2.context);
    throw thrown;
  }
}

/** Undefined in Node. Throws NOT_AVAILABLE where there is neither. */
function findHost(): WebGl2 | undefined {
  const webgl2 = createWebGl2();
  if (webgl2 || isNode()) return webgl2;
  throw halfbyteError(
    "NOT_AVAILABLE",
    "This host has no WebGL2 that renders to float32 textures, and it is not Node.",
    {
      remedy: "Use a browser with WebGL2 and hardware acceleration switched on, or the cpu backend.",
    },
  );
}

const isNode = (): boolean => typeof globalThis.process?.versions?.node === "string";
