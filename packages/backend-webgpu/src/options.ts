/** What a user of the WebGPU backend may choose. */
/// <reference types="@webgpu/types" />

export interface WebgpuOptions {
  /** A device that the caller has already; it stays the caller's: closing the backend destroys its own buffers only. */
  readonly gpuDevice?: GPUDevice;
  /** Which adapter, where there are several. */
  readonly powerPreference?: GPUPowerPreference;
  /** Where adapters come from. Default: navigator.gpu, else the npm package `webgpu`. */
  readonly gpu?: GPU;
}
