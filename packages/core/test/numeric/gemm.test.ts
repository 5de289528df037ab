/** Matrix products against float64, dense and 4-bit: every direction, bias, odd shapes, blocks that straddle rows. */
import {
  type Float,
  fromFloat32,
  type QuantizedTensor,
  quantize,
  referenceBackend,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { unitRoundoff } from "../../src/dtype.js";
import { floats, normals } from "./samples.js";

const backend = referenceBackend();
const { kernels } = backend;

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly transpose?: boolean;
  readonly withBias?: boolean;
}

const stored = (dtype: Float, values: Float32Array): Float32Array => toFloat32(dtype, fromFloat32(dtype, values));
const upload = (dtype: Float, shape: readonly number[], values: Float32Array): Tensor<Float> =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

/** The float64 product of what the tensors hold, and Σ|a·w| of each element. */
function trueProduct({ m, n, k, transpose = false }: Product, x: Float32Array, w: Float32Array, bias?: Float32Array) {
  const [inner, outer] = transpose ? [n, k] : [k, n];
  const [values, sizes] = [new Float64Array(m * outer), new Float64Array(m * outer)];
  for (let i = 0; i < m * outer; i++) {
    const [r, c] = [Math.floor(i / outer), i % outer];
    values[i] = bias?.[c] ?? 0;
    for (let j = 0; j < inner; j++) {
      const term = x[r * inner + j]! * (transpose ? w[j * k + c]! : w[c * k + j]!);
      values[i]! += term;
      sizes[i]! += Math.abs(term);
    }
  }
  return { values, sizes };
}

/** One rounding to the dtype; float64 sums in another order differ by far less. */
function firstBeyond(dtype: Float, found: Float32Array, { values, sizes }: ReturnType<typeof trueProduct>) {
  expect(found).toHaveLength(values.length);
  for (const [i, value] of values.entries()) {
    const bound = unitRoundoff(dtype) * Math.abs(value) + 2 ** -45 * sizes[i]! + 2 ** -25;
    if (!(Math.abs(found[i]! - value) <= bound)) return { i, found: found[i], expected: value, bound };
  }
  return undefined;
}

function inputsOf({ m, n, k, dtype, transpose = false, withBias = false }: Product) {
  const [inner, outer] = transpose ? [n, k] : [k, n];
  const x = stored(dtype, normals(m * inner, 81));
  const bias = withBias ? stored(dtype, normals(outer, 82, 4)) : undefined;
  const tensors = { x: upload(dtype, [m, inner], x), ...(bias ? { bias: upload(dtype, [outer], bias) } : {}) };
  return { x, bias, tensors, transpose };
}

const shapes = [
  { m: 1, n: 1, k: 1 },
  { m: 1, n: 33, k: 257 },
  { m: 5, n: 7, k: 96 },
  { m: 17, n: 40, k: 64 },
] as const;

const products: readonly Product[] = shapes.flatMap((shape) =>
  floats.flatMap((dtype) =>
    [false, true].flatMap((transpose) => [false, true].map((withBias) => ({ ...shape, dtype, transpose, withBias }))),
  ),
);

describe.each(products)("$m×$n×$k $dtype, transposed $transpose, bias $withBias", (product) => {
  const { n, k, dtype } = product;

  test("gemm", async () => {
    const { x, bias, tensors, transpose } = inputsOf(product);
    const w = stored(dtype, normals(n * k, 83));
    const { out } = kernels.gemm({ ...tensors, weight: upload(dtype, [n, k], w), transpose });
    expect(firstBeyond(dtype, toFloat32(dtype, await out.read()), trueProduct(product, x, w, bias))).toBeUndefined();
  });

  // Rows of 257 and 96 straddle blocks of 64; nested statistics need more than one block to be interesting.
  test.each([
    ["nf4", false],
    ["fp4", false],
    ["af4", true],
    ["nf4", true],
  ])("gemm4bit with %s, nested %s, decodes to f32 without rounding to the dtype", async (format, nested) => {
    const { x, bias, tensors, transpose } = inputsOf(product);
    using weight = await weightOf(product, format, nested);
    const { out } = kernels.gemm4bit({ ...tensors, weight, transpose });
    const decoded = toFloat32("float32", await kernels.dequantize4bit({ weight, dtype: "float32" }).out.read());
    const found = toFloat32(dtype, await out.read());
    expect(firstBeyond(dtype, found, trueProduct(product, x, decoded, bias))).toBeUndefined();
  });
});

async function weightOf({ n, k, dtype }: Product, format: string, nested: boolean): Promise<QuantizedTensor> {
  using tensor = upload(dtype, [n, k], normals(n * k, 84, 0.05));
  return await quantize(tensor, { format, nested });
}

describe("shapes and dtypes", () => {
  test("leading dimensions of x are kept", async () => {
    const w = upload("float32", [3, 4], normals(12, 85));
    const values = normals(2 * 5 * 4, 86);
    using out = kernels.gemm({ x: upload("float32", [2, 5, 4], values), weight: w }).out;
    expect(out.shape).toEqual([2, 5, 3]);
    using flat = kernels.gemm({ x: upload("float32", [10, 4], values), weight: w }).out;
    expect(await out.read()).toEqual(await flat.read());
  });

  test("a vector gives a vector", async () => {
    const product = { m: 1, n: 3, k: 4, dtype: "float32" } as const;
    const [x, w] = [normals(4, 87), normals(12, 88)];
    using out = kernels.gemm({ x: upload("float32", [4], x), weight: upload("float32", [3, 4], w) }).out;
    expect(out.shape).toEqual([3]);
    expect(firstBeyond("float32", toFloat32("float32", await out.read()), trueProduct(product, x, w))).toBeUndefined();
  });

  test("x, weight and bias may have different dtypes; the result has x's", async () => {
    const product = { m: 4, n: 6, k: 32, dtype: "float16" } as const;
    const x = stored("float16", normals(4 * 32, 89));
    const [w, bias] = [normals(6 * 32, 90), stored("bfloat16", normals(6, 91))];
    const tensors = { x: upload("float16", [4, 32], x), bias: upload("bfloat16", [6], bias) };
    using out = kernels.gemm({ ...tensors, weight: upload("float32", [6, 32], w) }).out;
    expect(out.dtype).toBe("float16");
    const found = toFloat32("float16", await out.read());
    expect(firstBeyond("float16", found, trueProduct(product, x, w, bias))).toBeUndefined();
  });

  test("no rows give no rows", async () => {
    using out = kernels.gemm({
      x: upload("float32", [0, 4], new Float32Array()),
      weight: upload("float32", [3, 4], normals(12, 92)),
    }).out;
    expect(out.shape).toEqual([0, 3]);
    expect(await out.read()).toHaveLength(0);
  });

  test("65 536 products keep the accuracy of one rounding", async () => {
    const product = { m: 1, n: 2, k: 65_536, dtype: "float32" } as const;
    const [x, w] = [normals(product.k, 93), normals(2 * product.k, 94)];
    using out = kernels.gemm({
      x: upload("float32", [1, product.k], x),
      weight: upload("float32", [2, product.k], w),
    }).out;
    expect(firstBeyond("float32", toFloat32("float32", await out.read()), trueProduct(product, x, w))).toBeUndefined();
  });

  test("a product beyond the dtype's range is infinite, not wrong", async () => {
    const [x, w] = [new Float32Array(4).fill(300), new Float32Array(4).fill(300)];
    using out = kernels.gemm({ x: upload("float16", [1, 4], x), weight: upload("float16", [1, 4], w) }).out;
    expect([...toFloat32("float16", await out.read())]).toEqual([Infinity]);
  });
});

test("an identity matrix reads the decoded weight back, column by column", async () => {
  const [n, k] = [6, 48];
  using weight = await weightOf({ m: 1, n, k, dtype: "float32" }, "nf4", false);
  const identity = Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
  using out = kernels.gemm4bit({ x: upload("float32", [k, k], identity), weight }).out;
  const decoded = await kernels.dequantize4bit({ weight, dtype: "float32" }).out.read();
  const found = await out.read();
  const transposed = Array.from(found, (_, i) => found[(i % k) * n + Math.floor(i / k)]!);
  // −0 and +0 meet in sums; numbers are compared, not bits.
  expect(transposed.every((value, i) => value === decoded[i])).toBe(true);
});
