/**
 * 4-bit products on tensor cores, on the emulated device: every kernel, every way to share the work, activations beyond float16's exponents. Against
 * float64, within the bounds of the tolerance table.
 */

import { accumulation, rounding } from "@halfbyte/conformance";
import {
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type QuantizedTensor,
  quantize,
  toFloat32,
} from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

interface Product {
  readonly dtype: Float;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly format?: string;
  readonly blockSize?: number;
  readonly nested?: boolean;
  readonly bias?: boolean;
  /** What an activation is, by its row and column. */
  readonly x?: (row: number, column: number) => number;
}

const random = createRandom(3);
const normals = (size: number) => Float32Array.from({ length: size }, () => random.normal());
const rounded = (dtype: Float, values: Float32Array) => toFloat32(dtype, fromFloat32(dtype, values));

/** The elements of out that are further from float64's than `fast` allows. */
async function wrongElements(backend: Backend, product: Product): Promise<readonly string[]> {
  const { dtype, m, n, k, format = "nf4", blockSize = 64, nested = false } = product;
  const dense = backend.tensor("float32", [n, k], normals(n * k));
  const weight = await quantize(dense, { format, blockSize, nested });
  const given = product.x
    ? Float32Array.from({ length: m * k }, (_, i) => product.x!(Math.floor(i / k), i % k))
    : normals(m * k);
  const x = rounded(dtype, given);
  const bias = product.bias ? rounded(dtype, normals(n)) : undefined;
  const tensor = (shape: readonly number[], values: Float32Array) =>
    backend.tensor(dtype, shape, fromFloat32(dtype, values));
  const args = { x: tensor([m, k], x), weight, ...(bias && { bias: tensor([n], bias) }) };
  const out = toFloat32(dtype, await backend.kernels.gemm4bit(args).out.read());
  return compare(product, x, await decoded(backend, weight), bias, out);
}

async function decoded(backend: Backend, weight: QuantizedTensor): Promise<Float32Array> {
  return backend.kernels.dequantize4bit({ weight, dtype: "float32" }).out.read() as Promise<Float32Array>;
}

function compare(
  { dtype, m, n, k }: Product,
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  out: Float32Array,
) {
  const bound = (r: number, s: number) => rounding(dtype, r) + accumulation.fast.c(k) * s;
  const wrong: string[] = [];
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let [r, s] = [bias?.[column] ?? 0, 0];
      for (let i = 0; i < k; i++) {
        const term = x[row * k + i]! * w[column * k + i]!;
        r += term;
        s += Math.abs(term);
      }
      const found = out[row * n + column]!;
      const same = Object.is(found, r) || (Number.isNaN(found) && Number.isNaN(r));
      if (!same && !(Math.abs(found - r) <= bound(r, s)))
        wrong.push(`[${row}, ${column}]: ${found} instead of ${r}, S = ${s}`);
    }
  }
  return wrong;
}

async function expectRight(product: Product): Promise<void> {
  await using backend = await openEmulated();
  expect(await wrongElements(backend, product)).toEqual([]);
}

const dtypes = ["float16", "bfloat16"] as const;

describe("a weight streamed past few rows", () => {
  it.for(dtypes.flatMap((dtype) => [1, 2, 7, 8, 9, 16].map((m) => ({ dtype, m }))))("$dtype, $m rows", ({ dtype, m }) =>
    expectRight({ dtype, m, n: 70, k: 192, bias: m % 2 === 0 }),
  );

  it.for(dtypes)("%s: several thread blocks share k, and an odd number of chunks", (dtype) =>
    expectRight({ dtype, m: 3, n: 64, k: 64 * 67 }),
  );

  it.for([64, 128, 4096])("blocks of %d", (blockSize) =>
    expectRight({ dtype: "bfloat16", m: 2, n: 65, k: 320, blockSize }),
  );

  it.for(["nf4", "fp4", "af4"])("%s", (format) => expectRight({ dtype: "float16", m: 2, n: 66, k: 128, format }));

  it("nested scales", () => expectRight({ dtype: "bfloat16", m: 2, n: 130, k: 256, nested: true, bias: true }));
});

describe("a tile of many rows", () => {
  it.for(dtypes.flatMap((dtype) => [17, 64, 65].map((m) => ({ dtype, m }))))("$dtype, $m rows", ({ dtype, m }) =>
    expectRight({ dtype, m, n: 257, k: 192, bias: true }),
  );

  it.for(dtypes)("%s: several thread blocks share k", (dtype) => expectRight({ dtype, m: 20, n: 40, k: 64 * 33 }));

  it("nested scales", () => expectRight({ dtype: "float16", m: 18, n: 33, k: 128, nested: true }));
});

describe("bfloat16 activations that float16 cannot hold", () => {
  /** Neighbours differ by up to 2^±120, in the same chunk. */
  const wild = (row: number, column: number) =>
    (column % 3 === 0 ? 1 : -1) * 2 ** (((row + column * 7) % 240) - 120) * 1.5;

  it.for([1, 9, 20])("far apart within a chunk, %d rows", (m) =>
    expectRight({ dtype: "bfloat16", m, n: 33, k: 192, x: wild }),
  );

  it.for([2, 20])("subnormal and zero, %d rows", (m) =>
    expectRight({
      dtype: "bfloat16",
      m,
      n: 20,
      k: 128,
      x: (row, column) => (row === 1 ? 0 : (column % 2) * 2 ** -133),
    }),
  );

  it.for([2, 20])("infinite and NaN, %d rows: their rows alone", (m) =>
    expectRight({
      dtype: "bfloat16",
      m,
      n: 20,
      k: 128,
      x: (row, column) => (column === 70 ? [Number.POSITIVE_INFINITY, Number.NaN, 1][row % 3]! : 2 ** -(column % 90)),
    }),
  );
});

describe("older GPUs", () => {
  afterEach(() => delete process.env["HALFBYTE_EMULATED_CAPABILITY"]);

  it.for(["6.1", "7.0", "7.5", "8.6", "12.0"])("compute capability %s", async (capability) => {
    process.env["HALFBYTE_EMULATED_CAPABILITY"] = capability;
    await expectRight({ dtype: "float16", m: 3, n: 70, k: 192, bias: true });
    await expectRight({ dtype: "bfloat16", m: 20, n: 140, k: 192, bias: true });
  });
});
