/** Rows of LLM.int8(), bit for bit what the reference gives: every length and alignment, values that are not finite, tensors in pieces. */
import type { Backend } from "@halfbyte/core";
import { expect, type TestContext, test } from "vitest";
import { dtypes, expectSameBytes, normals, openInPieces, quantized, type Rows } from "./int8-operands.js";
import { openOrSkip } from "./open.js";

const operations = ["int8VectorwiseQuant", "int8VectorwiseDequant"] as const;

/** Codes, statistics and mask of rows, and the rows decoded again. */
async function expectSameRows(backend: Backend, rows: Rows): Promise<void> {
  const name = `[${rows.x.length} / ${rows.k}] ${rows.dtype} threshold ${rows.threshold}`;
  await expectSameBytes(backend, name, (one) => {
    const { q, rowStats, outlierColumns } = quantized(one, rows);
    return [q, rowStats, outlierColumns, one.kernels.int8VectorwiseDequant({ q, rowStats }).out];
  });
}

const open = async (context: TestContext) => (await openOrSkip(context, { operations })).backend;

test.for(dtypes)("rows of every length, %s", async (dtype, context) => {
  await using backend = await open(context);
  for (const k of [1, 2, 3, 5, 31, 64, 100, 257, 1001, 4096])
    for (const threshold of [0, 2.5])
      for (const rows of [1, 5]) await expectSameRows(backend, { x: normals(rows * k, k + rows), k, dtype, threshold });
});

test("many rows, a long row, none, and rows of nothing", async (context) => {
  await using backend = await open(context);
  await expectSameRows(backend, { x: normals(70_000 * 3, 3), k: 3, threshold: 2 });
  await expectSameRows(backend, { x: normals(2 * 70_001, 4), k: 70_001, dtype: "bfloat16", threshold: 3 });
  await expectSameRows(backend, { x: new Float32Array(0), k: 7, threshold: 3 });
  await expectSameRows(backend, { x: new Float32Array(0), k: 0, threshold: 3 });
});

test("rows of zeros give codes 0", async (context) => {
  await using backend = await open(context);
  const { q, rowStats } = quantized(backend, { x: Float32Array.of(0, -0, 0, 0, 1, 2, 3, 4), k: 4 });
  expect([...(await q.read())]).toEqual([0, 0, 0, 0, 32, 64, 95, 127]);
  expect([...(await rowStats.read())]).toEqual([0, 4]);
});

test("rows of subnormal numbers, whose reciprocal is infinite, give ±127 and 0", async (context) => {
  await using backend = await open(context);
  const x = Float32Array.of(1e-40, -1e-42, 0, -1e-40, 1e-45, 0, -0, -1e-45);
  expect([...(await quantized(backend, { x, k: 4 }).q.read())]).toEqual([127, -127, 0, -127, 127, 0, 0, -127]);
  for (const scale of [1e-38, 3e-39, 1e-44]) await expectSameRows(backend, { x: normals(8 * 24, 5, scale), k: 24 });
  await expectSameRows(backend, { x: normals(8 * 24, 5, 1e-7), k: 24, dtype: "float16" });
});

test("rows of large numbers, whose reciprocal is subnormal", async (context) => {
  await using backend = await open(context);
  for (const scale of [1e37, 3e37]) await expectSameRows(backend, { x: normals(8 * 24, 6, scale), k: 24 });
});

test("ties are rounded to even", async (context) => {
  await using backend = await open(context);
  // The scale is exactly 1: 127 · (1 / 127).
  const x = Float32Array.from({ length: 512 }, (_, i) => (i === 0 ? 127 : i / 4 - 64));
  for (const dtype of dtypes) await expectSameRows(backend, { x, k: 512, dtype });
});

test("a value at the threshold is an outlier; the threshold need not be a float32", async (context) => {
  await using backend = await open(context);
  const x = Float32Array.of(1, Math.fround(0.1), -2, 0.5, 3, 1, 4, -7);
  for (const threshold of [4, 0.1, Math.fround(0.1), 1e-50, 1e300, 7, 7.000000001])
    await expectSameRows(backend, { x, k: 4, threshold });
});

test("every column an outlier, and all of one row", async (context) => {
  await using backend = await open(context);
  const all = normals(6 * 37, 7).map((value) => Math.sign(value) * 9);
  for (const dtype of dtypes) await expectSameRows(backend, { x: all, k: 37, dtype, threshold: 6 });
  await expectSameRows(backend, { x: normals(6 * 37, 7).fill(9, 74, 111), k: 37, threshold: 6 });
  await expectSameRows(backend, { x: all.slice(0, 37), k: 37, threshold: 6 });
});

test("the lowest index of a value that is not finite is named, in pieces too", async (context) => {
  for (const openOne of [open, openInPieces]) {
    await using backend = await openOne(context);
    const x = normals(100 * 37, 1);
    [x[3500], x[3277], x[3278], x[3600]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
    for (const dtype of dtypes)
      for (const threshold of [0, 1]) {
        const { q } = quantized(backend, { x, k: 37, threshold, dtype });
        await expect(q.read()).rejects.toMatchObject({ code: "NON_FINITE_INPUT", details: { index: 3277 } });
      }
  }
});

test.for([0, 2.5])(
  "values that are not finite propagate as in the reference, threshold %d",
  async (threshold, context) => {
    await using backend = await open(context);
    for (const k of [40, 37]) {
      const x = normals(6 * k, 1);
      [x[3], x[k], x[k + 1], x[3 * k]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
      x.fill(Number.NaN, 4 * k, 5 * k);
      for (const dtype of dtypes)
        await expectSameBytes(backend, `${dtype} [6, ${k}]`, (one) => {
          const { q, rowStats, outlierColumns } = quantized(one, { x, k, dtype, threshold, nonFinite: "propagate" });
          return [q, rowStats, outlierColumns];
        });
    }
  },
);

test("tensors in pieces: slices at whole words, in two pieces at once, and rows that fit none", async (context) => {
  await using backend = await openInPieces(context);
  for (const [rows, k] of [
    [300, 37],
    [90, 256],
    [7, 1000],
    [64, 6],
  ] as const)
    for (const dtype of dtypes)
      for (const threshold of [0, 2.5]) await expectSameRows(backend, { x: normals(rows * k, k), k, dtype, threshold });
  using x = backend.tensor("float32", [2, 1025], new Float32Array(2050));
  expect(backend.explain("int8VectorwiseQuant", { x, threshold: 0 })).toMatchObject({
    code: "UNSUPPORTED_KERNEL",
    message: expect.stringMatching(/1025 elements of 4 bytes.*4096/),
  });
});

test("nothing stays allocated", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  using x = backend.tensor("float32", [4, 64], normals(256, 1));
  const { q, rowStats, outlierColumns } = backend.kernels.int8VectorwiseQuant({ x, threshold: 2 });
  await q.read();
  for (const tensor of [q, rowStats, outlierColumns, x]) tensor.dispose();
  expect(device.liveBuffers).toBe(0);
});
