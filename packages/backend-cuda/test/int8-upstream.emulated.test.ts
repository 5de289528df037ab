/** What upstream's LLM.int8() does (specification §2.10), rule by rule, on the emulated device. */
import { type Float, fromFloat32, type Tensor, toFloat32 } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { cuda, expectSameBytes, product, quantized, tensorOf, useDevices } from "./int8-emulated.js";

useDevices();

describe("upstream's LLM.int8()", () => {
  const x = Float32Array.of(1, 8, -2, 0.5, 3, 1, 4, -7);

  it("row absmax: the largest magnitude below the threshold, of all without one", async () => {
    const stats = async (threshold: number) => [...(await quantized(cuda, { x, k: 4, threshold }).rowStats.read())];
    expect(await stats(0)).toEqual([8, 7]);
    expect(await stats(6)).toEqual([2, 4]);
    // A value at the threshold is an outlier.
    expect(await stats(4)).toEqual([2, 3]);
  });

  it("outlier columns: any row reaches the threshold", async () => {
    expect([...(await quantized(cuda, { x, k: 4, threshold: 6 }).outlierColumns.read())]).toEqual([0, 1, 0, 1]);
    expect([...(await quantized(cuda, { x, k: 4 }).outlierColumns.read())]).toEqual([0, 0, 0, 0]);
  });

  it("several rows: whole columns of codes are 0; one row: the outliers alone", async () => {
    expect([...(await quantized(cuda, { x, k: 4, threshold: 6 }).q.read())]).toEqual([64, 0, -127, 0, 95, 0, 127, 0]);
    expect([...(await quantized(cuda, { x: x.slice(0, 4), k: 4, threshold: 6 }).q.read())]).toEqual([64, 0, -127, 32]);
  });

  it("every column an outlier: codes 0, statistics 0, the product is the outliers'", async () => {
    const all = x.map((value) => Math.sign(value) * 9);
    const { q, rowStats, outlierColumns } = quantized(cuda, { x: all, k: 4, threshold: 6 });
    expect([...(await q.read()), ...(await rowStats.read())]).toEqual(Array.from({ length: 10 }, () => 0));
    const { out } = cuda.kernels.int8MixedScaledMm({
      x: tensorOf(cuda, "float32", [2, 4], all),
      a: q,
      b: cuda.tensor("int8", [1, 4], Int8Array.of(127, 127, 127, -127)),
      rowStats,
      colStats: cuda.tensor("float32", [1], Float32Array.of(1)),
      outlierColumns,
    });
    expect([...(await out.read())]).toEqual([0, 36]);
  });

  it("profile cuda: float16 whatever the output is, a float16 bias fused, another one added after", async () => {
    const args = {
      a: cuda.tensor("int32", [1, 1], Int32Array.of(1_000_003)),
      rowStats: cuda.tensor("float32", [1], Float32Array.of(1.1)),
      colStats: cuda.tensor("float32", [1], Float32Array.of(0.3)),
      dtype: "float32",
      profile: "cuda",
    } as const;
    const half = (value: number) => toFloat32("float16", fromFloat32("float16", Float32Array.of(value)))[0]!;
    const scaled = 1_000_003 * Math.fround(1.1) * Math.fround(0.3) * 6.200012e-5;
    const read = async (bias?: Tensor<Float>) =>
      (await cuda.kernels.int8MmDequant({ ...args, ...(bias ? { bias } : {}) }).out.read())[0];
    const addend = Float32Array.of(0.0078125);
    expect(await read()).toBe(half(scaled));
    expect(await read(tensorOf(cuda, "float16", [1], addend))).toBe(half(scaled + 0.0078125));
    expect(await read(tensorOf(cuda, "float32", [1], addend))).toBe(half(half(scaled) + 0.0078125));
  });

  it("no K is refused: rows that are no multiple of four are multiplied too", () => expectSameBytes(product(3, 5, 7)));
});
