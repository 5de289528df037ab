/** LLM.int8(): row-wise codes, exact integer products, scaling, and outlier columns. */
import type { Float, Tensor } from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceBeyond } from "../judge/compare.js";
import { numbersOf, readElements } from "../judge/elements.js";
import { int8Layer } from "../tolerance.js";
import { anyFloat, anySeed, contentOf, integers, normals } from "./data.js";
import { expectSameBits, expectValues, floats, ownAll, type Suite, scoped } from "./suite.js";

export function int8Cases(suite: Suite): void {
  describe("LLM.int8()", () => {
    test("int8VectorwiseQuant and -Dequant give the reference kernels' bits", () => vectorwise(suite));
    test("outlier columns: the mask, and zeroed codes", () => outliers(suite));
    test("int8LinearMatmul is exact", () => linearMatmul(suite));
    test("int8LinearMatmul is exact at K = 65 536 with extreme codes", () => longRows(suite));
    test("int8MmDequant and int8ScaledMm give the reference kernels' bits", () => scaled(suite));
    test("int8MixedScaledMm stays within the bound of an int8 layer", () => mixed(suite));
  });
}

const anyRows = fc.integer({ min: 1, max: 20 });
const anyK = fc.integer({ min: 1, max: 300 });
const anyThreshold = fc.constantFrom(0, 0.5, 2.5, 6);
const both = ({ backend, oracle }: Suite) => [backend, oracle] as const;

async function vectorwise(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(
    anyFloat,
    anyRows,
    anyK,
    anyThreshold,
    fc.boolean(),
    anySeed,
    async (dtype, rows, k, threshold, sparse, seed) => {
      const x = contentOf(sparse ? "sparse" : "heavyTail", dtype, rows * k, seed);
      await scoped(async (own) => {
        const [found, expected] = both(suite).map((backend) => {
          const args = { x: own(floats(backend, dtype, [rows, k], x)), threshold };
          const { q, rowStats, outlierColumns } = ownAll(own, backend.kernels.int8VectorwiseQuant(args));
          return { q, rowStats, outlierColumns, out: own(backend.kernels.int8VectorwiseDequant({ q, rowStats }).out) };
        });
        await expectSameBits(found!.rowStats, expected!.rowStats);
        await expectSameBits(found!.outlierColumns, expected!.outlierColumns);
        await expectSameBits(found!.q, expected!.q);
        await expectSameBits(found!.out, expected!.out);
      });
    },
  );
  await fc.assert(property, suite.runs(40));
}

/** Outliers are left out of the row maximum; their columns are zeroed in every row, unless there is but one row. */
async function outliers({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const x = Float32Array.of(1, 8, -2, 0.5, 3, 1, 4, -7);
    const many = ownAll(
      own,
      backend.kernels.int8VectorwiseQuant({ x: own(floats(backend, "float32", [2, 4], x)), threshold: 6 }),
    );
    await expectValues(many.outlierColumns, Uint8Array.of(0, 1, 0, 1));
    await expectValues(many.rowStats, Float32Array.of(2, 4));
    await expectValues(many.q, Int8Array.of(64, 0, -127, 0, 95, 0, 127, 0));
    const none = ownAll(
      own,
      backend.kernels.int8VectorwiseQuant({ x: own(floats(backend, "float32", [2, 4], x)), threshold: 0 }),
    );
    await expectValues(none.outlierColumns, new Uint8Array(4));
    const single = ownAll(
      own,
      backend.kernels.int8VectorwiseQuant({
        x: own(floats(backend, "float32", [1, 4], x.subarray(0, 4))),
        threshold: 6,
      }),
    );
    await expectValues(single.outlierColumns, Uint8Array.of(0, 1, 0, 0));
    await expectValues(single.q, Int8Array.of(64, 0, -127, 32));
  });
}

const codes = (size: number, seed: number): Int8Array => Int8Array.from(integers(size, seed, -128, 127));

async function linearMatmul(suite: Suite): Promise<void> {
  const { backend } = suite;
  const property = fc.asyncProperty(anyRows, anyRows, anyK, anySeed, async (m, n, k, seed) => {
    const [a, b] = [codes(m * k, seed), codes(n * k, seed + 1)];
    await scoped(async (own) => {
      const args = { a: own(backend.tensor("int8", [m, k], a)), b: own(backend.tensor("int8", [n, k], b)) };
      await expectValues(own(backend.kernels.int8LinearMatmul(args).out), integerProduct(a, b, k));
    });
  });
  await fc.assert(property, suite.runs(30));
}

function integerProduct(a: Int8Array, b: Int8Array, k: number): Int32Array {
  const n = b.length / k;
  return Int32Array.from({ length: (a.length / k) * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n) * k, (i % n) * k];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += a[row + j]! * b[column + j]!;
    return sum;
  });
}

/** −128 · −128 · 65 536 is 2³⁰: it fits, and a 16-bit intermediate does not. */
async function longRows({ backend }: Suite): Promise<void> {
  const k = 65_536;
  await scoped(async (own) => {
    const a = new Int8Array(2 * k).fill(-128, 0, k).fill(127, k);
    const b = new Int8Array(2 * k).fill(-128, 0, k).fill(127, k);
    const args = { a: own(backend.tensor("int8", [2, k], a)), b: own(backend.tensor("int8", [2, k], b)) };
    await expectValues(own(backend.kernels.int8LinearMatmul(args).out), integerProduct(a, b, k));
  });
}

interface Layer {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly bias: Float | undefined;
  readonly seed: number;
}

const anyLayer: fc.Arbitrary<Layer> = fc.record({
  m: anyRows,
  n: anyRows,
  k: anyK,
  dtype: anyFloat,
  bias: fc.option(anyFloat, { nil: undefined }),
  seed: anySeed,
});

type Own = <T extends Disposable>(resource: T) => T;

/** Operands of a scaled product on one backend. */
function operands(backend: Suite["backend"], own: Own, { m, n, k, bias, seed }: Layer) {
  const positive = (size: number, offset: number) => normals(size, seed + offset).map((value) => Math.abs(value) + 0.1);
  return {
    a: own(backend.tensor("int8", [m, k], codes(m * k, seed))),
    b: own(backend.tensor("int8", [n, k], codes(n * k, seed + 1))),
    rowStats: own(backend.tensor("float32", [m], positive(m, 2))),
    colStats: own(backend.tensor("float32", [n], positive(n, 3))),
    ...(bias ? { bias: own(floats(backend, bias, [n], normals(n, seed + 4))) as Tensor<Float> } : {}),
  };
}

async function scaled(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(anyLayer, async (layer) => {
    await scoped(async (own) => {
      const [found, expected] = both(suite).map((backend) => {
        const args = { ...operands(backend, own, layer), dtype: layer.dtype };
        const { out: sums } = ownAll(own, backend.kernels.int8LinearMatmul({ a: args.a, b: args.b }));
        const dequantized = own(backend.kernels.int8MmDequant({ ...args, a: sums }).out);
        return { dequantized, out: own(backend.kernels.int8ScaledMm(args).out) };
      });
      await expectSameBits(found!.dequantized, expected!.dequantized);
      await expectSameBits(found!.out, expected!.out);
      await expectSameBits(found!.out, found!.dequantized);
    });
  });
  await fc.assert(property, suite.runs(40));
}

async function mixed(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(anyLayer, async (layer) => {
    await scoped(async (own) => {
      const [found, expected] = await Promise.all(
        both(suite).map(async (backend) => numbersOf(await readElements(own(mixedProduct(backend, own, layer))))),
      );
      const largest = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const bound = int8Layer(layer.dtype) * largest;
      expect(differenceBeyond(expected!, found!, () => bound)).toBeUndefined();
    });
  });
  await fc.assert(property, suite.runs(30));
}

/** The whole path: quantize activations with outliers, multiply, add the outlier columns. */
function mixedProduct(backend: Suite["backend"], own: Own, layer: Layer): Tensor {
  const { m, k, dtype, seed } = layer;
  const x = own(floats(backend, dtype, [m, k], contentOf("heavyTail", dtype, m * k, seed)));
  const quantized = ownAll(own, backend.kernels.int8VectorwiseQuant({ x, threshold: 6 }));
  const { b, colStats, bias } = operands(backend, own, layer);
  const { q: a, rowStats, outlierColumns } = quantized;
  return backend.kernels.int8MixedScaledMm({ x, a, b, rowStats, colStats, outlierColumns, ...(bias ? { bias } : {}) })
    .out;
}
