/** The optional peer dependency gpu.js: what is used of it, and where it comes from. */
import { halfbyteError, messageOf } from "@halfbyte/core";

export interface GpuJsSettings {
  readonly mode?: "cpu";
  readonly canvas?: OffscreenCanvas | HTMLCanvasElement;
  readonly context?: WebGL2RenderingContext;
}

export interface GpuJsKernelSettings {
  readonly precision: "single";
  readonly tactic: "precision";
  readonly dynamicArguments: true;
  readonly dynamicOutput: true;
  readonly loopMaxIterations: number;
  readonly asyncMode: true;
  readonly pipeline?: true;
  readonly immutable?: true;
}

export interface GpuJsKernel {
  (...args: readonly unknown[]): Promise<unknown>;
  setOutput(extents: readonly number[]): GpuJsKernel;
  /** Why gpu.js left the GPU for JavaScript, where it has. */
  readonly fallbackReason?: string | null;
}

export interface GpuJs {
  createKernel(source: string, settings: GpuJsKernelSettings): GpuJsKernel;
  destroy(): Promise<void>;
}

export type GpuJsConstructor = new (settings: GpuJsSettings) => GpuJs;

/** In a variable, so that bundlers leave it alone: who bundles passes the package in. */
const packageName: string = "gpu.js";

/** Throws PACKAGE_NOT_INSTALLED. */
export async function loadGpuJs(given?: () => Promise<unknown>): Promise<GpuJsConstructor> {
  const library = given ? await imported(given) : (ownGlobal() ?? (await imported(importPackage)));
  const found = constructorIn(library);
  if (found) return found;
  throw notInstalled("What was given as gpu.js has no class GPU.");
}

/** Set by the script that gpu.js ships for pages; a browser's own `GPU` is WebGPU's. */
const ownGlobal = (): unknown => constructorIn(globalThis);

const importPackage = (): Promise<unknown> => import(/* @vite-ignore */ /* webpackIgnore: true */ packageName);

async function imported(load: () => Promise<unknown>): Promise<unknown> {
  try {
    return await load();
  } catch (cause) {
    throw notInstalled(`The package gpu.js cannot be imported: ${messageOf(cause)}.`, cause);
  }
}

/** As a module, as a CommonJS module, or the class itself. */
function constructorIn(library: unknown): GpuJsConstructor | undefined {
  const { GPU, default: inner } = (library ?? {}) as { GPU?: unknown; default?: unknown };
  if (isConstructor(GPU)) return GPU;
  if (isConstructor(library)) return library;
  return inner === undefined ? undefined : constructorIn(inner);
}

const isConstructor = (value: unknown): value is GpuJsConstructor =>
  typeof value === "function" && "createKernel" in (value.prototype ?? {});

const notInstalled = (message: string, cause?: unknown): Error =>
  halfbyteError("PACKAGE_NOT_INSTALLED", message, {
    cause,
    remedy:
      'Install the npm package `gpu.js`; where a bundler builds for a browser, also pass it: webgpu({ gpujs: () => import("gpu.js"), … }).',
  });
