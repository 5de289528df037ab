/** Rows of LLM.int8() on the emulated device, beyond the specification's cases: every length and alignment, values that are not finite. */
import { describe, expect, it } from "vitest";
import { cuda, dtypes, expectSameBytes, normals, quantized, type Rows, useDevices } from "./int8-emulated.js";

useDevices();

/** Codes, statistics and mask of rows, and the rows decoded again. */
async function expectSameRows(rows: Rows): Promise<void> {
  await expectSameBytes((backend) => {
    const { q, rowStats, outlierColumns } = quantized(backend, rows);
    return [q, rowStats, outlierColumns, backend.kernels.int8VectorwiseDequant({ q, rowStats }).out];
  });
}

describe("rows", () => {
  // A part of a warp, octets that fill a thread block or not, more than one turn, and every alignment of 16-bit and 32-bit rows.
  const lengths = [1, 2, 3, 7, 8, 12, 31, 64, 100, 255, 256, 1001, 4096, 4100, 8200];
  it.for(dtypes)("of every length, %s", async (dtype) => {
    for (const k of lengths)
      for (const threshold of [0, 2.5]) await expectSameRows({ x: normals(5 * k, k), k, dtype, threshold });
  });

  it("many of them", () => expectSameRows({ x: normals(3000 * 8, 3), k: 8, threshold: 2 }));

  it("of zeros give codes 0", async () => {
    await expectSameRows({ x: Float32Array.from({ length: 4 * 40 }, (_, i) => (i < 80 ? 0 : i - 120)), k: 40 });
    const { q, rowStats } = quantized(cuda, { x: Float32Array.of(0, -0, 0, 0, 1, 2, 3, 4), k: 4 });
    expect([...(await q.read())]).toEqual([0, 0, 0, 0, 32, 64, 95, 127]);
    expect([...(await rowStats.read())]).toEqual([0, 4]);
  });

  it("of subnormal numbers, whose reciprocal is infinite, give ±127 and 0", async () => {
    const x = Float32Array.of(1e-40, -1e-42, 0, -1e-40, 1e-45, 0, -0, -1e-45);
    await expectSameRows({ x, k: 4 });
    expect([...(await quantized(cuda, { x, k: 4 }).q.read())]).toEqual([127, -127, 0, -127, 127, 0, 0, -127]);
    for (const scale of [1e-38, 3e-39, 1e-44]) await expectSameRows({ x: normals(8 * 24, 5, scale), k: 24 });
    await expectSameRows({ x: normals(8 * 24, 5, 1e-7), k: 24, dtype: "float16" });
  });

  it("round ties to even", async () => {
    // The scale is exactly 1: 127 · (1 / 127).
    const x = Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5);
    await expectSameRows({ x, k: 8 });
    await expectSameRows({ x: Float32Array.from({ length: 512 }, (_, i) => (i === 0 ? 127 : i / 4 - 64)), k: 512 });
  });

  it("name the lowest index of a value that is not finite", async () => {
    const x = normals(6 * 37, 1);
    [x[150], x[77], x[78], x[200]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
    for (const threshold of [0, 1]) {
      const { q } = quantized(cuda, { x, k: 37, threshold });
      await expect(q.read()).rejects.toMatchObject({ code: "NON_FINITE_INPUT", details: { index: 77 } });
    }
  });

  it.for([0, 2.5])("propagate values that are not finite as the reference does, threshold %d", async (threshold) => {
    for (const k of [40, 37]) {
      const x = normals(6 * k, 1);
      [x[3], x[k], x[k + 1], x[3 * k]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
      x.fill(Number.NaN, 4 * k, 5 * k);
      for (const dtype of dtypes) await expectSameRows({ x, k, dtype, threshold, nonFinite: "propagate" });
    }
  });
});
