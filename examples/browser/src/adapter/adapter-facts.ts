/** The adapter as the browser describes it. */
import { halfbyteError, type Reason } from "@halfbyte/core";
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

const softwareNames = /llvmpipe|lavapipe|swiftshader|software|basic render|\bwarp\b/i;

export async function adapterFacts(): Promise<AdapterFacts | Reason> {
  try {
    const adapter = await requestAdapter();
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const name = [vendor, architecture, device, description].filter((part) => part !== "").join(" ");
    return {
      name: name || "unnamed adapter",
      isSoftware: isFallbackAdapter === true || softwareNames.test(name),
      features: [...adapter.features].sort(),
      languageFeatures: [...navigator.gpu.wgslLanguageFeatures].sort(),
      limits: shownLimits.map((limit) => ({ name: limit, value: adapter.limits[limit] })),
    };
  } catch (thrown) {
    return failureOf(thrown);
  }
}

async function requestAdapter(): Promise<GPUAdapter> {
  const gpu: GPU | undefined = navigator.gpu;
  if (!gpu)
    throw halfbyteError("NOT_AVAILABLE", "This browser has no WebGPU.", {
      remedy: "Use Chrome or Edge 113, Safari 26 or Firefox 141 and newer, over https or on localhost.",
    });
  const adapter = await gpu.requestAdapter();
  if (adapter) return adapter;
  throw halfbyteError("NOT_AVAILABLE", "WebGPU is here but offers no adapter.", {
    remedy: "Update the graphics driver, or see chrome://gpu for why the browser does not use it.",
  });
}
