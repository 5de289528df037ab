/** The adapter of this machine in tests, which skip where there is none. */
import { isHalfbyteError } from "@halfbyte/core";
import type { TestContext } from "vitest";
import { type OpenedAdapter, openAdapter } from "../src/webgpu/adapter.js";
import { openDawn } from "../src/webgpu/dawn.js";

export async function openedOr(ctx: TestContext): Promise<OpenedAdapter> {
  try {
    return await openAdapter(await openDawn(), "Node");
  } catch (thrown) {
    if (!isHalfbyteError(thrown) || (thrown.code !== "NOT_AVAILABLE" && thrown.code !== "PACKAGE_NOT_INSTALLED"))
      throw thrown;
    return ctx.skip(`${thrown.message} Mesa >= 25 (lavapipe) or a GPU driver brings one.`);
  }
}

/** The words of a buffer. */
export async function readWords(device: GPUDevice, from: GPUBuffer): Promise<Uint32Array> {
  const staging = device.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, staging, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return words;
}
