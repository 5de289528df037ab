/** Opening the backend in tests, which skip where this machine has no adapter: VK_ICD_FILENAMES names a Vulkan driver, else the system's own is used. */
import { type Backend, deviceOf, openBackend } from "@halfbyte/core";
import type { TestContext } from "vitest";
import type { WebgpuDevice } from "../src/device.js";
import { type WebgpuOptions, webgpu } from "../src/index.js";

export async function skipWithoutAdapter(context: TestContext): Promise<void> {
  const { available, reason } = await webgpu().detect();
  if (!available)
    context.skip(`no WebGPU adapter: ${reason?.message} Mesa >= 25 (lavapipe) or a GPU driver brings one.`);
}

export async function openOrSkip(
  context: TestContext,
  options: WebgpuOptions = {},
): Promise<{ backend: Backend; device: WebgpuDevice }> {
  await skipWithoutAdapter(context);
  const backend = await openBackend([webgpu(options)], { order: ["webgpu"] });
  if (backend.report.chosen !== "webgpu") throw new Error(JSON.stringify(backend.report));
  return { backend, device: deviceOf(backend) as WebgpuDevice };
}
