/** What was found out about the kernels on a backend's device. */
import { type Backend, deviceOf } from "@halfbyte/core";
import type { WebgpuDevice } from "./device.js";
import type { VariantReport } from "./variants.js";

/** Every variant of every kernel with the self-test's verdict; none for a backend that is not WebGPU. */
export function variantsOf(backend: Backend): readonly VariantReport[] {
  return webgpuDeviceOf(backend)?.variants() ?? [];
}

/**
 * Nanoseconds that the GPU takes for what `enqueue` launches, at most 127 dispatches of kernels that ran before. Undefined where the device has
 * no timestamps, and for a backend that is not WebGPU.
 */
export async function timeOnDevice(backend: Backend, enqueue: () => void): Promise<number | undefined> {
  return webgpuDeviceOf(backend)?.time(enqueue);
}

/** By what it can do: the package may be loaded twice, as ESM and as CJS. */
export function webgpuDeviceOf(backend: Backend): WebgpuDevice | undefined {
  const device = deviceOf(backend);
  return "variants" in device ? (device as WebgpuDevice) : undefined;
}
