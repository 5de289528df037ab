/** The adapter as the browser describes it. */
import { webgpu } from "@halfbyte/backend-webgpu";
import type { Reason } from "@halfbyte/core";
import { failureOf } from "../failure.js";
import type { AdapterFacts } from "./adapter-calls.js";

/** Those that decide how large a weight may be and how a kernel is cut. */
const shownLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** Or why there is none. */
export async function adapterFacts(): Promise<AdapterFacts | Reason> {
  const { reason, devices } = await webgpu().detect();
  if (reason) return reason;
  const { name, software } = devices[0]!;
  try {
    const adapter = (await navigator.gpu.requestAdapter())!;
    return {
      name,
      isSoftware: software,
      features: [...adapter.features].sort(),
      languageFeatures: [...navigator.gpu.wgslLanguageFeatures].sort(),
      limits: shownLimits.map((limit) => ({ name: limit, value: adapter.limits[limit] })),
    };
  } catch (thrown) {
    return failureOf(thrown);
  }
}
