/** How far weights are from their originals: every format against the reference kernels, and what is known without them. */
import {
  type Backend,
  createQuantizedTensor,
  dequantize,
  errorSums,
  type Float,
  formatNames,
  getFormat,
  type QuantizedTensor,
  quantize,
  type Tensor,
  toFloat32,
  weightError,
} from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { weightErrorOf } from "../judge/float64.js";
import { errorBound, errorFigures, tolerance } from "../tolerance.js";
import { anyContent, anyFloat, anySeed, contentOf, normals } from "./data.js";
import { floats, type Suite, scoped } from "./suite.js";

export const quantizationErrorCases = (suite: Suite): void => describeFormats(suite, formatNames());

/** Without the formats that keep a scale for each row, which are made by kernels of their own. */
export const blockErrorCases = (suite: Suite): void =>
  describeFormats(
    suite,
    formatNames().filter((name) => getFormat(name).scales !== "row"),
  );

function describeFormats(suite: Suite, formats: readonly string[]): void {
  describe("quantizationError", () => {
    for (const format of formats)
      test(`${format} gives the reference kernel's figures, sums within their bound`, () => sameFigures(suite, format));
    test("blocks of sizes that no segment is a multiple of", () => oddBlocks(suite));
    test("rows of a width that no segment is a multiple of", () => oddRows(suite));
    test("exact copies have no noise", () => exactCopies(suite, formats));
    test("zeros, and decoded values where the original has none", () => zeros(suite));
    test("a value that is not finite makes its segment NaN, and no other", () => nonFinite(suite));
    test("weightError() agrees with float64", () => agreesWithFloat64(suite));
  });
}

type Own = <T extends Disposable>(resource: T) => T;
type Make = (backend: Backend, own: Own) => Promise<{ x: Tensor<Float>; weight: QuantizedTensor }>;

const { segment, columns } = errorSums;
const anyShape = fc.oneof(
  fc.constantFrom([1, 1], [1, 4096], [2, 4096], [3, 1367], [64, 64]),
  fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 700 })),
);

async function sameFigures(suite: Suite, name: string): Promise<void> {
  const format = getFormat(name);
  const property = fc.asyncProperty(
    anyShape,
    anyFloat,
    anyContent,
    fc.nat(7),
    fc.boolean(),
    anySeed,
    async (shape, dtype, content, pick, nested, seed) => {
      const blockSize = format.blockSizes[pick % Math.max(1, format.blockSizes.length)];
      const options = { format: name, nested: nested && format.scales === "block", ...(blockSize && { blockSize }) };
      await expectSame(suite, async (backend, own) => {
        const x = own(
          floats(backend, dtype, shape, contentOf(content, dtype, shape[0]! * shape[1]!, seed, blockSize || shape[1])),
        );
        return { x, weight: own(await quantize(x, options)) };
      });
    },
  );
  await fc.assert(property, suite.runs(25));
}

/** Files may hold any even block size of 4-bit weights, and any of 8-bit ones. */
async function oddBlocks(suite: Suite): Promise<void> {
  for (const [bits, blockSize] of [
    [4, 2],
    [4, 100],
    [4, 5000],
    [8, 1],
    [8, 7],
    [8, 100],
    [8, 5000],
  ] as const)
    await expectSame(suite, async (backend, own) => {
      const size = 10_001;
      const bytes = Uint8Array.from({ length: bits === 4 ? Math.ceil(size / 2) : size }, (_, i) => (i * 37) % 256);
      const absmax = normals(Math.ceil(size / blockSize), 4).map(Math.abs);
      const parts = {
        format: bits === 4 ? "nf4" : "int8-blockwise",
        shape: [size],
        dtype: "float32",
        blockSize,
        codes: backend.tensor("uint8", [bytes.length], bytes),
        scales: { kind: "block", absmax: backend.tensor("float32", [absmax.length], absmax) },
      } as const;
      return {
        x: own(floats(backend, "float32", [size], normals(size, 5))),
        weight: own(createQuantizedTensor(parts)),
      };
    });
}

/** As they are stored: with every code there is. */
async function oddRows(suite: Suite): Promise<void> {
  const [rows, width] = [13, 1001];
  const stats = normals(rows, 7).map(Math.abs);
  await expectSame(suite, async (backend, own) => {
    const codes = Int8Array.from({ length: rows * width }, (_, i) => ((i * 37) % 255) - 127);
    const parts = {
      format: "int8-rowwise",
      shape: [rows, width],
      dtype: "float16",
      blockSize: 0,
      codes: backend.tensor("int8", [rows, width], codes),
      scales: { kind: "row", absmax: backend.tensor("float32", [rows], stats) },
    } as const;
    return {
      x: own(floats(backend, "bfloat16", [rows, width], normals(rows * width, 8))),
      weight: own(createQuantizedTensor(parts)),
    };
  });
}

async function expectSame(suite: Suite, make: Make): Promise<void> {
  await scoped(async (own) => {
    const [found, expected] = await Promise.all(
      [suite.backend, suite.oracle].map(async (backend) => figuresOf(backend, own, make)),
    );
    expect(found!.length).toBe(expected!.length);
    for (let row = 0; row < found!.length; row += columns.length)
      expectRow(found!.subarray(row, row + columns.length), expected!.subarray(row, row + columns.length));
  });
}

async function figuresOf(backend: Backend, own: Own, make: Make): Promise<Float32Array> {
  return own(backend.kernels.quantizationError(await make(backend, own)).sums).read();
}

/** Squares below the smallest numbers of f32 lose what they have there. */
const underflow = segment * 2 ** -149;

function expectRow(found: Float32Array, expected: Float32Array): void {
  const [, , noise, signal, energy] = expected as unknown as [number, number, number, number, number];
  const sizes = [0, 0, noise, signal, energy, Math.sqrt(signal * energy)];
  for (const [i, name] of columns.entries()) {
    const bound = i < 2 ? 0 : tolerance.errorSums.factor * sizes[i]! + underflow;
    const isSame = Number.isNaN(expected[i]) ? Number.isNaN(found[i]) : Math.abs(found[i]! - expected[i]!) <= bound;
    expect(isSame, `${name}: found ${found[i]}, expected ${expected[i]}`).toBe(true);
  }
}

/** Decoded values as the original. */
async function exactCopies({ backend }: Suite, formats: readonly string[]): Promise<void> {
  for (const format of formats)
    await scoped(async (own) => {
      const origin = own(floats(backend, "float32", [9, 1000], normals(9000, 6)));
      const weight = own(await quantize(origin, { format }));
      const x = own(dequantize(weight, { dtype: "float32" }));
      const error = await weightError(weight, x);
      expect(error).toMatchObject({ maxAbs: 0, rmse: 0, sqnrDb: Number.POSITIVE_INFINITY });
      expect(error.cosine).toBeCloseTo(1, 3);
    });
}

async function zeros({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const x = own(backend.zeros("bfloat16", [2, 4096]));
    const weight = own(await quantize(x, { format: "nf4" }));
    const smallest = [2 ** -126, 0, 0, 0, 0, 0];
    expect([...(await own(backend.kernels.quantizationError({ x, weight }).sums).read())]).toEqual([
      ...smallest,
      ...smallest,
    ]);
    const ones = own(floats(backend, "float32", [2, 4096], new Float32Array(8192).fill(3)));
    const other = own(await quantize(ones, { format: "nf4" }));
    const row = [2, 1.5, 4096 * 2.25, 0, 4096 * 2.25, 0];
    expect([...(await own(backend.kernels.quantizationError({ x, weight: other }).sums).read())]).toEqual([
      ...row,
      ...row,
    ]);
  });
}

async function nonFinite({ backend }: Suite): Promise<void> {
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY])
    await scoped(async (own) => {
      const values = normals(3 * segment, 8);
      const clean = own(floats(backend, "float32", [values.length], values));
      const weight = own(await quantize(clean, { format: "nf4" }));
      const expected = await own(backend.kernels.quantizationError({ x: clean, weight }).sums).read();
      values[segment + 70] = wrong;
      const x = own(floats(backend, "float32", [values.length], values));
      const rows = await own(backend.kernels.quantizationError({ x, weight }).sums).read();
      expected.fill(Number.NaN, columns.length, 2 * columns.length);
      expect(rows).toEqual(expected);
      expect(Object.values(await weightError(weight, x))).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
    });
}

async function agreesWithFloat64({ backend }: Suite): Promise<void> {
  for (const scale of [1e-30, 0.02, 1e30])
    await scoped(async (own) => {
      const x = own(floats(backend, "bfloat16", [30, 1001], normals(30_030, 9, scale)));
      const weight = own(await quantize(x, { format: "fp4" }));
      const [values, decoded] = [
        toFloat32("bfloat16", await x.read()),
        (await own(dequantize(weight, { dtype: "float32" })).read()) as Float32Array,
      ];
      const found = await weightError(weight, x);
      const expected = weightErrorOf(values, decoded);
      for (const name of errorFigures)
        expect(Math.abs(found[name] - expected[name]), name).toBeLessThanOrEqual(errorBound(name, expected[name]));
    });
}
