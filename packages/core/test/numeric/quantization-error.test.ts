/** The reference kernel against its definition in float64, and the figures that are made of its rows. */
import { createRandom, dequantize, errorSums, quantize, type Tensor, weightError } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { summarized } from "../../src/checkpoint/weight-error.js";
import { backendOn, floats } from "../runtime/backends.js";

const backend = backendOn();
const fr = Math.fround;

/** One row by its definition; every number that is not rounded by it is float64. */
function rowOf(x: Float32Array, y: Float32Array): number[] {
  const largest = [...x, ...y].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let scale = 2 ** -126;
  while (scale * 2 <= largest && scale < 2 ** 126) scale *= 2;
  const pairs = Array.from(x, (a, i) => [fr(a / scale), fr(y[i]! / scale)] as const);
  const sum = (term: (a: number, b: number) => number) => fr(pairs.reduce((total, [a, b]) => total + term(a, b), 0));
  return [
    scale,
    Math.max(...pairs.map(([a, b]) => Math.abs(fr(a - b)))),
    sum((a, b) => fr(a - b) ** 2),
    sum((a) => a * a),
    sum((_, b) => b * b),
    sum((a, b) => a * b),
  ];
}

async function decodedBy(weight: Awaited<ReturnType<typeof quantize>>): Promise<Float32Array> {
  using out = dequantize(weight, { dtype: "float32" });
  return (await out.read()) as Float32Array;
}

const values = (size: number, scale: number): Float32Array => {
  const random = createRandom(size);
  return Float32Array.from({ length: size }, () => random.normal() * scale);
};

describe("the reference kernel", () => {
  const scales = [1, 1e-30, 1e-38, 1e-43, 1e30, 8e37, 0];
  test.each(scales)("gives its definition for values of size %f", async (scale) => {
    for (const [format, nested] of [
      ["nf4", false],
      ["nf4", true],
      ["int8-blockwise", false],
      ["int8-rowwise", false],
    ] as const) {
      const x = values(9000, scale).map((value) => Math.max(-3.4e38, Math.min(3.4e38, value)));
      using tensor = backend.tensor("float32", [90, 100], x);
      using weight = await quantize(tensor, { format, nested });
      const y = await decodedBy(weight);
      if (!y.every(Number.isFinite)) continue;
      using sums = backend.kernels.quantizationError({ x: tensor, weight }).sums;
      const rows = [0, 4096, 8192].flatMap((at) => rowOf(x.subarray(at, at + 4096), y.subarray(at, at + 4096)));
      expect(sums.shape).toEqual([3, errorSums.columns.length]);
      expect(await sums.read()).toEqual(Float32Array.from(rows));
    }
  });
});

describe("weightError()", () => {
  test("adds rows of different scales in float64", () => {
    const rows = Float32Array.of(2 ** 100, 1, 2, 8, 8, 4, 2 ** -100, 3, 5, 5, 5, 5);
    const { maxAbs, rmse, sqnrDb, cosine } = summarized(rows, 8192);
    expect(maxAbs).toBe(2 ** 100);
    expect(rmse).toBeCloseTo(2 ** 100 * Math.sqrt(2 / 8192), 12);
    expect(sqnrDb).toBeCloseTo(10 * Math.log10(4), 12);
    expect(cosine).toBeCloseTo(0.5, 12);
  });

  test("of nothing is nothing", async () => {
    using x = floats(backend, [0, 64]);
    using weight = await quantize(x, { format: "nf4" });
    expect(await weightError(weight, x)).toEqual({ maxAbs: 0, rmse: 0, sqnrDb: Number.POSITIVE_INFINITY, cosine: 1 });
  });

  test("leaves nothing allocated", async () => {
    using x: Tensor<"float32"> = floats(backend, [4, 64]);
    using weight = await quantize(x, { format: "nf4", nested: true });
    const before = backend.memory();
    await weightError(weight, x);
    expect(backend.memory()).toEqual(before);
  });
});
