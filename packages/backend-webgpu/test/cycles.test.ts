/** Quantize, multiply, dispose, again and again: no buffer stays behind. */
import { createRandom, openBackend, quantize } from "@halfbyte/core";
import { expect, test } from "vitest";
import { webgpu } from "../src/index.js";
import { webgpuDeviceOf } from "../src/variants-of.js";
import { adapterReason } from "./adapter-reason.js";

const noAdapter = await adapterReason();

test("1000 cycles of quantize, matmul and dispose leave no buffer", { timeout: 300_000 }, async ({ skip }) => {
  if (noAdapter) skip(noAdapter);
  const operations = ["quantize4bit", "gemm4bit"] as const;
  await using backend = await openBackend([webgpu({ operations })], { order: ["webgpu"] });
  expect(backend.report.chosen, JSON.stringify(backend.report)).toBe("webgpu");
  const random = createRandom(1000);
  const values = Float32Array.from({ length: 64 * 128 }, () => random.normal());
  let first: Float32Array | undefined;
  for (let i = 0; i < 1000; i++) {
    using original = backend.tensor("float32", [64, 128], values);
    using weight = await quantize(original, { format: "nf4" });
    using x = backend.tensor("float32", [1, 128], values.subarray(0, 128));
    using out = backend.kernels.gemm4bit({ x, weight }).out;
    if (i % 100 > 0) continue;
    const product = (await out.read()) as Float32Array;
    first ??= product;
    expect(product).toEqual(first);
  }
  await backend.synchronize();
  expect(webgpuDeviceOf(backend)!.liveBuffers).toBe(0);
  expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0, leaked: 0 });
});
