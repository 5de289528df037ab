/** Floors and clocks of a GPU, on whatever adapter this machine has in Node. */
import { describe, expect, it } from "vitest";
import { timed } from "../src/measure/subject.js";
import { gpuClock, launchClock } from "../src/webgpu/clocks.js";
import { type GpuFloorKind, invocationsOf, loopVariants } from "../src/webgpu/floor-kernels.js";
import { gpuFloors, openLoops } from "../src/webgpu/floors.js";
import { openedOr, readWords } from "./webgpu-adapter.js";

const variants = [0, 1, 2] as const;

/** All words of the destination after one run. */
async function result(device: GPUDevice, kind: GpuFloorKind, work: number, variant: number) {
  const { loops, buffers } = openLoops(device, kind, work);
  const loop = loops[variant]!;
  await loop.subject.sample(1, false);
  const words = await readWords(device, buffers[0]![1]);
  for (const buffer of buffers.flat()) buffer.destroy();
  return { words, work: loop.work };
}

const sumOf = (words: Uint32Array): number => words.reduce((sum, word) => sum + word, 0);

describe("floor loops in WGSL", () => {
  it.for(variants)("variant %i reads every word once", async (variant, ctx) => {
    const { device } = await openedOr(ctx);
    for (const bytes of [16, 4096, 1_000_000 - (1_000_000 % 16)]) {
      const { words, work } = await result(device, "read", bytes, variant);
      // The source is full of ones.
      expect(sumOf(words)).toBe(bytes / 4);
      expect(work).toBe(bytes);
    }
  });

  it.for(variants)("variant %i copies every word", async (variant, ctx) => {
    const { device } = await openedOr(ctx);
    const { words } = await result(device, "copy", 1_000_000, variant);
    expect(sumOf(words)).toBe(words.length);
  });

  it.for(variants)("variant %i writes every word", async (variant, ctx) => {
    const { device } = await openedOr(ctx);
    const { words } = await result(device, "write", 64_000, variant);
    const perElement = loopVariants("write")[variant]!.unit / 4;
    expect(words.every((word, i) => word === Math.floor(i / perElement))).toBe(true);
  });

  it.for(variants)("variant %i multiplies and adds as often as it says", async (variant, ctx) => {
    const { device } = await openedOr(ctx);
    const { words, work } = await result(device, "fma-f32", 2 ** 24, variant);
    // Each chain counts its own steps, four at a time, on top of its number; invocations that do not exist left zeros.
    const counted = new Float32Array(words.buffer).reduce((sum, value) => sum + value, 0);
    const chains = [4, 8, 16][variant]!;
    const numbers = 4 * invocationsOf(loopVariants("fma-f32")[variant]!) * ((chains * (chains - 1)) / 2);
    expect(counted - numbers).toBe(work);
  });

  it("dot products of bytes give a result", async (ctx) => {
    const { device } = await openedOr(ctx);
    if (!navigator.gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product")) return ctx.skip("no dot4I8Packed");
    const { words } = await result(device, "dot-int8", 2 ** 22, 0);
    expect(sumOf(words)).toBeGreaterThan(0);
  });

  it("are measured on copies when cold, and give their memory back", async (ctx) => {
    const { device, adapter } = await openedOr(ctx);
    const floor = gpuFloors(device, adapter).open({ kind: "copy", work: 2 ** 20, temperature: "warm" });
    expect(floor.subjects).toHaveLength(3);
    const times = await Promise.all(floor.subjects.map((subject) => subject.sample(2, true)));
    expect(floor.medianOf(times)).toBeGreaterThan(0);
    floor.dispose();
  });
});

describe("clocks of a GPU", () => {
  it("sum the passes of a run, whoever encodes them", async (ctx) => {
    const { device } = await openedOr(ctx);
    if (!device.features.has("timestamp-query")) return ctx.skip("the adapter has no timestamp-query");
    const clock = gpuClock(device);
    expect(clock.timing).toBe("GPU timestamps");
    const { loops, buffers } = openLoops(device, "fma-f32", 2 ** 24);
    const times = await loops[0]!.subject.sample(3, false, clock);
    expect(Math.min(...times)).toBeGreaterThan(0);
    const nothing = timed(() => undefined);
    await expect(nothing.sample(1, false, clock)).rejects.toMatchObject({ code: "KERNEL_FAILED" });
    for (const buffer of buffers.flat()) buffer.destroy();
  });

  it("without timestamps, launch repeatedly and wait once", async () => {
    const counts = { launches: 0, waits: 0 };
    const work = { enqueue: () => void counts.launches++, wait: async () => void counts.waits++ };
    await launchClock().nanosecondsOf(work);
    expect(counts.waits).toBe(2);
    expect(counts.launches).toBeGreaterThan(10);
  });
});
