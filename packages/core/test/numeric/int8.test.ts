/** LLM.int8(): rows, outlier columns, the integer product and its scaling, bit for bit against exact arithmetic. */
import {
  type ArrayOf,
  createRandom,
  type Float,
  fromFloat32,
  type Profile,
  referenceBackend,
  toFloat32,
} from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import * as exact from "./exact.js";
import { dequantize, mmDequant, quantizeRow } from "./exact-int8.js";
import { bitsOf, edgeAbsmaxes, firstDifference, floats, integers, mixedValues, normals } from "./samples.js";

const backend = referenceBackend();
const { kernels } = backend;
const profiles: readonly Profile[] = ["reference", "cpu", "cuda"];

interface Rows {
  readonly values: Float32Array;
  readonly rows: number;
  readonly threshold?: number;
  readonly dtype?: Float;
}

async function vectorwise({ values, rows, threshold = 0, dtype = "float32" }: Rows) {
  using x = backend.tensor(dtype, [rows, values.length / rows], fromFloat32(dtype, values));
  const { q, rowStats, outlierColumns } = kernels.int8VectorwiseQuant({ x, threshold });
  const found = { q: await q.read(), rowStats: await rowStats.read(), mask: await outlierColumns.read() };
  for (const tensor of [q, rowStats, outlierColumns]) tensor.dispose();
  return found;
}

const row = (values: Float32Array, k: number, r: number): number[] => [...bitsOf(values).slice(r * k, (r + 1) * k)];

const absmaxOf = (bits: readonly number[]): number => bits.reduce((most, b) => Math.max(most, exact.magnitude(b)), 0);

describe("rows without a threshold", () => {
  test.each(floats)("random rows of every size and kind, %s", async (dtype) => {
    const [rows, k] = [60, 200];
    const values = mixedValues(dtype, rows * k, k, 41);
    const { q, rowStats, mask } = await vectorwise({ values, rows, dtype });
    for (let r = 0; r < rows; r++) {
      const bits = row(values, k, r);
      expect(bitsOf(rowStats)[r]).toBe(absmaxOf(bits));
      expect(firstDifference(q.subarray(r * k, (r + 1) * k), quantizeRow(bits, absmaxOf(bits)))).toBeUndefined();
    }
    expect(mask.every((marked) => marked === 0)).toBe(true);
  });

  test.each(edgeAbsmaxes)("a row whose absmax is %d", async (absmax) => {
    const values = Float32Array.from({ length: 256 }, (_, i) => (absmax * (i - 128)) / 128);
    const { q } = await vectorwise({ values, rows: 1 });
    expect(firstDifference(q, quantizeRow(row(values, 256, 0), bitsOf(Float32Array.of(absmax))[0]!))).toBeUndefined();
  });

  test("ties go to the even integer", async () => {
    // An absmax of 127 makes the scale exactly 1.
    const halves = Float32Array.from({ length: 254 }, (_, i) => i - 126.5);
    const { q } = await vectorwise({ values: Float32Array.of(127, ...halves), rows: 1 });
    const even = Array.from(halves, (value) => 2 * Math.round(value / 2 + (value < 0 ? -1e-9 : 1e-9)));
    expect([...q.subarray(1)]).toEqual(even.map((value) => value + 0));
  });

  test("a zero row gives zeros and a scale of 0, and decodes to zeros", async () => {
    const { q, rowStats } = await vectorwise({ values: new Float32Array(16), rows: 2 });
    expect([...q, ...rowStats]).toEqual(new Array(18).fill(0));
  });
});

describe("thresholds", () => {
  const [rows, k] = [5, 40];
  const values = normals(rows * k, 42);
  values.set([6, -7.5], 3);
  values.set([9], k + 17);

  test("columns with a value of at least the threshold are marked; a value equal to it counts", async () => {
    const { mask } = await vectorwise({ values, rows, threshold: 6 });
    expect([...mask.keys()].filter((c) => mask[c] === 1)).toEqual([3, 4, 17]);
  });

  test("marked columns are zero in every row; scales leave out the outlier elements only", async () => {
    const { q, rowStats, mask } = await vectorwise({ values, rows, threshold: 6 });
    const limit = bitsOf(Float32Array.of(6))[0]!;
    for (let r = 0; r < rows; r++) {
      const bits = row(values, k, r);
      const absmax = absmaxOf(bits.filter((b) => exact.magnitude(b) < limit));
      expect(bitsOf(rowStats)[r]).toBe(absmax);
      const expected = quantizeRow(bits, absmax).map((code, c) => (mask[c] === 1 ? 0 : code));
      expect(firstDifference(q.subarray(r * k, (r + 1) * k), expected)).toBeUndefined();
    }
  });

  test("a single row loses its outlier elements, which are its outlier columns", async () => {
    const single = values.slice(0, k);
    const { q, mask } = await vectorwise({ values: single, rows: 1, threshold: 6 });
    expect([q[3], q[4], mask[3], mask[4], mask[17]]).toEqual([0, 0, 1, 1, 0]);
    expect([...q].some((code) => Math.abs(code) === 127)).toBe(true);
  });

  test("a threshold above every value changes nothing", async () => {
    expect(await vectorwise({ values, rows, threshold: 100 })).toEqual(await vectorwise({ values, rows }));
  });
});

test("rows decode as fr(fr(q · stat) · f32(1/127))", async () => {
  const stats = Float32Array.of(...edgeAbsmaxes, 1, 127, 0.3, 0);
  const codes = Int8Array.from({ length: stats.length * 256 }, (_, i) => (i % 256) - 128);
  using q = backend.tensor("int8", [stats.length, 256], codes);
  using rowStats = backend.tensor("float32", [stats.length], stats);
  using out = kernels.int8VectorwiseDequant({ q, rowStats }).out;
  const expected = Array.from(codes, (code, i) => dequantize(code, bitsOf(stats)[Math.floor(i / 256)]!));
  expect(firstDifference(bitsOf(await out.read()), expected)).toBeUndefined();
});

async function matmul(a: Int8Array, b: Int8Array, k: number): Promise<Int32Array> {
  using left = backend.tensor("int8", [a.length / k, k], a);
  using right = backend.tensor("int8", [b.length / k, k], b);
  using out = kernels.int8LinearMatmul({ a: left, b: right }).out;
  return (await out.read()) as Int32Array;
}

function exactProducts(a: Int8Array, b: Int8Array, k: number): number[] {
  const [m, n] = [a.length / k, b.length / k];
  return Array.from({ length: m * n }, (_, i) => {
    const [r, c] = [Math.floor(i / n), i % n];
    let sum = 0n;
    for (let j = 0; j < k; j++) sum += BigInt(a[r * k + j]! * b[c * k + j]!);
    return Number(sum);
  });
}

describe("int8LinearMatmul", () => {
  test.each([1, 3, 64, 257, 4096])("random codes, K = %i", async (k) => {
    const [a, b] = [Int8Array.from(integers(3 * k, k, -128, 127)), Int8Array.from(integers(5 * k, k + 1, -128, 127))];
    expect([...(await matmul(a, b, k))]).toEqual(exactProducts(a, b, k));
  });

  test.each([
    [-128, -128],
    [-128, 127],
    [127, 127],
    [-127, 127],
  ])("%i times %i over the largest K that fits int32", async (left, right) => {
    const k = 131_071;
    const found = await matmul(new Int8Array(k).fill(left), new Int8Array(k).fill(right), k);
    expect([...found]).toEqual([left * right * k]);
  });
});

const [m, n] = [12, 30];
const accumulators = Int32Array.from([
  ...integers(m * n - 4, 51, -2_000_000, 2_000_000),
  ...[2 ** 31 - 1, -(2 ** 31), 0, 16_777_217],
]);
const random = createRandom(52);
const positive = (count: number) => Float32Array.from({ length: count }, () => (random.uniform() + 0.01) * 8);
const [rowStats, colStats] = [positive(m), positive(n)];
const formats = { float32: exact.binary32, float16: exact.binary16, bfloat16: exact.brain16 } as const;

async function mmDequantFound(profile: Profile, dtype: Float, biasDtype?: Float): Promise<ArrayLike<number>> {
  using a = backend.tensor("int32", [m, n], accumulators);
  using rows = backend.tensor("float32", [m], rowStats);
  using columns = backend.tensor("float32", [n], colStats);
  const args = { a, rowStats: rows, colStats: columns, dtype, profile };
  if (!biasDtype) return patterns(await kernels.int8MmDequant(args).out.read());
  using bias = backend.tensor(biasDtype, [n], fromFloat32(biasDtype, biasValues(biasDtype)));
  return patterns(await kernels.int8MmDequant({ ...args, bias }).out.read());
}

const patterns = (data: ArrayOf[Float]): ArrayLike<number> => (data instanceof Float32Array ? bitsOf(data) : data);
const biasValues = (dtype: Float): Float32Array => toFloat32(dtype, fromFloat32(dtype, normals(n, 53, 3)));

function mmDequantExpected(profile: Profile, dtype: Float, biasDtype?: Float): number[] {
  const bias = biasDtype && bitsOf(biasValues(biasDtype));
  return Array.from(accumulators, (accumulator, i) => {
    const [r, c] = [Math.floor(i / n), i % n];
    const scales = { rowStat: bitsOf(rowStats)[r]!, colStat: bitsOf(colStats)[c]! };
    const extra = bias ? { bias: bias[c]!, biasIsFloat16: biasDtype === "float16" } : {};
    const value = mmDequant({ accumulator, ...scales, ...extra }, profile);
    return dtype === "float32" ? value : exact.narrowTo(formats[dtype], value);
  });
}

describe.each(profiles)("int8MmDequant, profile %s", (profile) => {
  test.each(floats)("to %s, with every kind of bias", async (dtype) => {
    for (const bias of [undefined, ...floats]) {
      const found = await mmDequantFound(profile, dtype, bias);
      expect(firstDifference(found, mmDequantExpected(profile, dtype, bias)), `bias ${bias}`).toBeUndefined();
    }
  });
});

test("the three constants are the specification's", async () => {
  const one = { rows: Float32Array.of(1), columns: Float32Array.of(1) };
  const found = await Promise.all(profiles.map((profile) => scaleOfOne(profile, one)));
  expect(found[0]).toBe(Math.fround(1 / 16129));
  expect(found[1]).toBe(Math.fround(6.200124e-5));
  // 6.200012e-05 leaves the kernel as float16.
  expect(found[2]).toBe(2 ** -14 * (1 + Math.round((6.200012e-5 * 2 ** 14 - 1) * 1024) / 1024));
});

async function scaleOfOne(profile: Profile, { rows, columns }: { rows: Float32Array; columns: Float32Array }) {
  using a = backend.tensor("int32", [1, 1], Int32Array.of(1));
  using r = backend.tensor("float32", [1], rows);
  using c = backend.tensor("float32", [1], columns);
  using out = kernels.int8MmDequant({ a, rowStats: r, colStats: c, dtype: "float32", profile }).out;
  return (await out.read())[0];
}

describe("products of quantized matrices", () => {
  const k = 48;
  const x = normals(m * k, 54);
  x[5] = 20;
  const w = normals(n * k, 55, 0.1);

  async function both(threshold: number, dtype: Float, mixed: boolean): Promise<Float32Array> {
    using weight = backend.tensor("float32", [n, k], w);
    using input = backend.tensor(dtype, [m, k], fromFloat32(dtype, x));
    const b = kernels.int8VectorwiseQuant({ x: weight, threshold: 0 });
    const a = kernels.int8VectorwiseQuant({ x: input, threshold });
    const args = { a: a.q, b: b.q, rowStats: a.rowStats, colStats: b.rowStats };
    const { out } = mixed
      ? kernels.int8MixedScaledMm({ ...args, x: input, outlierColumns: a.outlierColumns })
      : kernels.int8ScaledMm({ ...args, dtype });
    return toFloat32(dtype, await out.read());
  }

  /** Largest distance from the true product. */
  function distance(found: Float32Array): number {
    const errors = Array.from(found, (value, i) => {
      const [r, c] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let j = 0; j < k; j++) sum += x[r * k + j]! * w[c * k + j]!;
      return Math.abs(value - sum);
    });
    return Math.max(...errors);
  }

  test("int8ScaledMm is int8LinearMatmul and int8MmDequant in a row, on every profile", async () => {
    for (const profile of profiles) {
      using a = backend.tensor("int8", [m, k], Int8Array.from(integers(m * k, 1, -127, 127)));
      using b = backend.tensor("int8", [n, k], Int8Array.from(integers(n * k, 2, -127, 127)));
      using rows = backend.tensor("float32", [m], rowStats);
      using columns = backend.tensor("float32", [n], colStats);
      using bias = backend.tensor("bfloat16", [n], fromFloat32("bfloat16", biasValues("bfloat16")));
      const scaling = { rowStats: rows, colStats: columns, bias, dtype: "bfloat16", profile } as const;
      using product = kernels.int8LinearMatmul({ a, b }).out;
      const apart = await kernels.int8MmDequant({ ...scaling, a: product }).out.read();
      expect(await kernels.int8ScaledMm({ ...scaling, a, b }).out.read()).toEqual(apart);
    }
  });

  test("without outliers the mixed product is the scaled one", async () => {
    expect(await both(100, "float32", true)).toEqual(await both(100, "float32", false));
  });

  test.each(floats)("outlier columns in %s bring the result closer to the true product", async (dtype) => {
    const mixed = distance(await both(6, dtype, true));
    expect(mixed).toBeLessThan(distance(await both(0, dtype, false)));
    expect(mixed).toBeLessThan(dtype === "bfloat16" ? 0.06 : 0.04);
  });
});
