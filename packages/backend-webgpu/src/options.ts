/** What a user of the WebGPU backend may choose. */
/// <reference types="@webgpu/types" />
import type { OpName } from "@halfbyte/core";
import type { AlterShader } from "./pipelines.js";
import type { FeatureTier } from "./traits.js";

export interface WebgpuOptions {
  /** A device that the caller has already; it stays the caller's: closing the backend destroys its own buffers only. */
  readonly gpuDevice?: GPUDevice;
  /** Which adapter, where there are several. */
  readonly powerPreference?: GPUPowerPreference;
  /** Where adapters come from. Default: navigator.gpu, else the npm package `webgpu`. */
  readonly gpu?: GPU;
  /** `t0`: nothing but what every WebGPU device has. Default `full`: all that this one has. `gpujs`: no WebGPU, but products through gpu.js. */
  readonly tier?: FeatureTier | "gpujs";
  /** Products through gpu.js where WebGPU is not available, does not open or fails its self-test. */
  readonly fallback?: "gpujs";
  /** Brings in the optional peer dependency gpu.js where a bundler has to see the import: () => import("gpu.js"). */
  readonly gpujs?: () => Promise<unknown>;
  /** The operations that will be asked for: only their kernels are compiled and tested, which opens faster. Others are refused. Default: all. */
  readonly operations?: readonly OpName[];
  /** How much of a tensor is in one buffer and bound at once; rounded down to a power of two. Default: as much as the device can. */
  readonly pieceBytes?: number;
  /** Changes kernels before they are compiled: shows what the self-test makes of a device that computes something else. */
  readonly alterShader?: AlterShader;
}
