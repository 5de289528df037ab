import { expect, test } from "vitest";
import { BufferPool, sizeClass } from "./buffers.js";

/** A device without memory, or with it. */
const deviceWith = (error: GPUError | null): GPUDevice =>
  ({
    limits: { maxBufferSize: 2 ** 28 },
    pushErrorScope: () => undefined,
    popErrorScope: async () => error,
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }),
  }) as unknown as GPUDevice;

test("size classes hold what was asked for and waste little", () => {
  for (const bytes of [4, 255, 256, 257, 5000, 2 ** 20 + 4, 2 ** 27 - 4, 2 ** 27]) {
    const size = sizeClass(bytes, 2 ** 30);
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size % 4).toBe(0);
    expect(size).toBeLessThanOrEqual(Math.max(256, 1.25 * bytes + 64));
  }
  expect(sizeClass(2 ** 27 - 4, 2 ** 27 - 4)).toBe(2 ** 27 - 4);
});

test("a freed buffer is given to the next one of its size", () => {
  const pool = new BufferPool(deviceWith(null), 128);
  const { buffer } = pool.take(1000);
  pool.release(buffer);
  pool.release(buffer);
  expect(pool.take(1001).buffer).toBe(buffer);
  expect(pool.take(1001).buffer).not.toBe(buffer);
  expect(pool.live).toBe(2);
});

test("a buffer without memory is told by its promise, and is never given out again", async () => {
  const pool = new BufferPool(deviceWith({ message: "no memory" } as GPUError), 128);
  const early = pool.take(1000);
  pool.release(early.buffer);
  await expect(early.allocated).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
  expect(pool.take(1000).buffer).not.toBe(early.buffer);
});
