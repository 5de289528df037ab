/** Waiting for a buffer to be mapped. */
import { usage } from "./buffers.js";

/** How often Firefox is woken: it looks for finished work every 100 ms otherwise, or when something is submitted. */
const nudgeMs = 1;

export async function mapped(gpu: GPUDevice, buffer: GPUBuffer, byteLength: number): Promise<void> {
  const mapping = buffer.mapAsync(usage.mapRead, 0, byteLength);
  if (!isFirefox()) return mapping;
  const timer = setInterval(() => gpu.queue.submit([]), nudgeMs);
  try {
    await mapping;
  } finally {
    clearInterval(timer);
  }
}

const isFirefox = (): boolean =>
  /firefox/i.test((globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "");
