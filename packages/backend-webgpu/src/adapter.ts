/** Choosing an adapter, and asking it for what the kernels can use. */
import { halfbyteError } from "@halfbyte/core";
import type { FeatureTier } from "./traits.js";

/** Used where there, never required. */
const wantedFeatures = ["subgroups", "timestamp-query"] as const satisfies readonly GPUFeatureName[];

/** As much as the adapter has: the defaults stop at 128 MiB for one binding. */
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Throws NOT_AVAILABLE where there is no adapter. */
export async function chooseAdapter(gpu: GPU, powerPreference?: GPUPowerPreference): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : {});
  if (adapter) return adapter;
  throw halfbyteError("NOT_AVAILABLE", "WebGPU is here but offers no adapter.", {
    remedy: "Install a graphics driver: WebGPU needs Vulkan on Linux, Direct3D 12 on Windows, Metal on macOS.",
  });
}

export function requestDevice(adapter: GPUAdapter, tier: FeatureTier = "full"): Promise<GPUDevice> {
  if (tier === "t0") return adapter.requestDevice({ label: "halfbyte" });
  return adapter.requestDevice({
    label: "halfbyte",
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
  });
}

export const adapterName = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [vendor, architecture, device, description].filter((part) => part !== "").join(" ") || "unnamed adapter";

const softwareNames = /llvmpipe|lavapipe|swiftshader|software|basic render|\bwarp\b/i;

export const isSoftwareName = (name: string): boolean => softwareNames.test(name);

/** Whether the adapter renders on the CPU: it says so itself, or its name does. */
export const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter === true || isSoftwareName(adapterName(info));
