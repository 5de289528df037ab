/** The adapter under test, and one device of it that everybody computes on: ours, the floors and the peers. */
/// <reference types="@webgpu/types" />
import { halfbyteError } from "@halfbyte/core";
import type { Adapter } from "../report/row.js";

export interface OpenedAdapter {
  readonly device: GPUDevice;
  readonly adapter: Adapter;
}

const wantedFeatures: readonly GPUFeatureName[] = ["shader-f16", "subgroups", "timestamp-query"];

/** As much as the adapter has. */
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** `host`: the browser or runtime, with its version. Throws NOT_AVAILABLE. */
export async function openAdapter(gpu: GPU, host: string): Promise<OpenedAdapter> {
  const found = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!found) throw halfbyteError("NOT_AVAILABLE", `${host} offers no WebGPU adapter.`);
  const features = wantedFeatures.filter((feature) => found.features.has(feature));
  const limits = Object.fromEntries(wantedLimits.map((limit) => [limit, found.limits[limit]]));
  const device = await found.requestDevice({ requiredFeatures: features, requiredLimits: limits });
  const { vendor, architecture, device: chip, description } = found.info;
  const isSoftware = rendersInSoftware(found.info);
  return { device, adapter: { vendor, architecture, device: chip, description, isSoftware, features, limits, host } };
}

const softwareNames = /llvmpipe|lavapipe|swiftshader|software|basic render|\bwarp\b/i;

const rendersInSoftware = ({ vendor, architecture, device, description, isFallbackAdapter }: GPUAdapterInfo): boolean =>
  isFallbackAdapter === true || softwareNames.test([vendor, architecture, device, description].join(" "));
