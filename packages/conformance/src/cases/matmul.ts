/** Matrix products against a float64 product computed here, within the bounds of the tolerance table and no others. */
import {
  type Accuracy,
  type Float,
  fromFloat32,
  getFormat,
  type QuantizedTensor,
  quantize,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceBeyond } from "../judge/compare.js";
import { numbersOf, readElements } from "../judge/elements.js";
import { decode4bit, productOf, transposed } from "../judge/float64.js";
import { accumulation, defaultAccuracy, rounding } from "../tolerance.js";
import { any4bitFormat, anyFloat, anySeed, normals } from "./data.js";
import { floats, type Suite, scoped } from "./suite.js";

export function matmulCases(suite: Suite): void {
  describe("matrix products", () => {
    test("gemm4bit: shapes, dtypes, bias, nested and straddling blocks", () => gemm4bitProperty(suite, false));
    test("gemm4bit, transposed", () => gemm4bitProperty(suite, true));
    test("gemm4bit at every accuracy", () => everyAccuracy(suite));
    for (const dtype of ["float32", "float16", "bfloat16"] as const) {
      test(`gemm4bit, ${dtype}, K = 65 536`, () => longRows(suite, dtype));
    }
    test("gemm: shapes, dtypes, bias", () => gemmProperty(suite, false));
    test("gemm, transposed", () => gemmProperty(suite, true));
    test("leading dimensions are kept", () => leadingDimensions(suite));
  });
}

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** K beside the multiples of a block too: then blocks straddle rows. */
const anySizes: fc.Arbitrary<Sizes> = fc.record({
  m: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 40 })),
  n: fc.integer({ min: 1, max: 48 }),
  k: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(32, 64, 128, 192, 256, 512)),
});

interface Job extends Sizes {
  readonly dtype: Float;
  readonly seed: number;
  readonly bias: boolean;
  readonly transpose: boolean;
  readonly accuracy?: Accuracy;
}

async function gemm4bitProperty(suite: Suite, transpose: boolean): Promise<void> {
  const property = fc.asyncProperty(
    any4bitFormat,
    anySizes,
    anyFloat,
    fc.boolean(),
    fc.boolean(),
    anySeed,
    async (format, sizes, dtype, nested, bias, seed) => {
      await expectProduct4bit(
        suite,
        { format, nested },
        { ...sizes, dtype, seed, bias: bias && !transpose, transpose },
      );
    },
  );
  await fc.assert(property, suite.runs(50));
}

async function everyAccuracy(suite: Suite): Promise<void> {
  const sizes = { m: 3, n: 24, k: 256, seed: 7, bias: true, transpose: false };
  for (const accuracy of ["exact", "fast", "turbo"] as const) {
    for (const dtype of ["float32", "float16", "bfloat16"] as const) {
      await expectProduct4bit(suite, { format: "nf4", nested: false }, { ...sizes, dtype, accuracy });
    }
  }
}

const longRows = (suite: Suite, dtype: Float): Promise<void> =>
  expectProduct4bit(
    suite,
    { format: "nf4", nested: true },
    { m: 2, n: 3, k: 65_536, dtype, seed: 5, bias: false, transpose: false },
  );

/** Multiplies with a quantized weight, and holds the result to the product with the weight as it decodes. */
async function expectProduct4bit(suite: Suite, options: { format: string; nested: boolean }, job: Job): Promise<void> {
  const { backend, oracle } = suite;
  await scoped(async (own) => {
    // Quantized by the oracle: a backend may have products alone.
    const dense = own(floats(oracle, job.dtype, [job.n, job.k], normals(job.n * job.k, job.seed, 0.05)));
    const weight = own(await own(await quantize(dense, { ...options, blockSize: 64 })).to(backend));
    const { x, bias, args } = operands(suite, own, job);
    const accuracy = job.accuracy ? { accuracy: job.accuracy } : {};
    const { out } = backend.kernels.gemm4bit({ ...args, ...accuracy, weight, transpose: job.transpose });
    await expectWithin(job, own(out), x, await decodedWeight(weight), bias);
  });
}

async function gemmProperty(suite: Suite, transpose: boolean): Promise<void> {
  const { backend } = suite;
  const property = fc.asyncProperty(anySizes, anyFloat, fc.boolean(), anySeed, async (sizes, dtype, bias, seed) => {
    const job = { ...sizes, dtype, seed, bias: bias && !transpose, transpose };
    await scoped(async (own) => {
      const weight = own(floats(backend, dtype, [job.n, job.k], normals(job.n * job.k, seed, 0.05)));
      const { x, bias: addend, args } = operands(suite, own, job);
      const out = own(backend.kernels.gemm({ ...args, weight, transpose }).out);
      await expectWithin(job, out, x, numbersOf(await readElements(weight)), addend);
    });
  });
  await fc.assert(property, suite.runs(30));
}

/** x [m, k], or [m, n] when transposed, and a bias as long as a row of the result. */
function operands({ backend }: Suite, own: <T extends Disposable>(resource: T) => T, job: Job) {
  const inner = job.transpose ? job.n : job.k;
  const x = rounded(job.dtype, normals(job.m * inner, job.seed + 1));
  const bias = job.bias ? rounded(job.dtype, normals(job.n, job.seed + 2)) : undefined;
  const args = { x: own(floats(backend, job.dtype, [job.m, inner], x)) };
  return { x, bias, args: bias ? { ...args, bias: own(floats(backend, job.dtype, [job.n], bias)) } : args };
}

const rounded = (dtype: Float, values: Float32Array): Float32Array => toFloat32(dtype, fromFloat32(dtype, values));

async function expectWithin(
  job: Job,
  out: Tensor,
  x: Float32Array,
  weight: Float64Array,
  bias?: Float32Array,
): Promise<void> {
  const [inner, w] = job.transpose ? [job.n, transposed(weight, job.k)] : [job.k, weight];
  const { r, s } = productOf(Float64Array.from(x), w, inner, bias && Float64Array.from(bias));
  const c = accumulation[job.accuracy ?? defaultAccuracy(job.dtype)].c(inner);
  const bound = (i: number) => rounding(job.dtype, r[i]!) + c * s[i]!;
  const found = numbersOf(await readElements(out));
  expect(differenceBeyond(r, found, bound)).toBeUndefined();
}

/** The f32 weights that codes and scales stand for; nested scales are decoded here, fr(fr(code · nestedAbsmax) + offset). */
async function decodedWeight({ codes, scales, format, blockSize, shape }: QuantizedTensor): Promise<Float64Array> {
  const packed = Uint8Array.from(await codes.read());
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return decode4bit({ packed, absmax: await decodedAbsmax(scales), code: getFormat(format).code, blockSize, size });
}

async function decodedAbsmax(scales: QuantizedTensor["scales"]): Promise<Float32Array> {
  if (scales.kind !== "nested") return scales.absmax.read();
  const [codes, absmax, code] = await Promise.all([
    scales.absmax.read(),
    scales.nestedAbsmax.read(),
    scales.nestedCode.read(),
  ]);
  const { nestedBlockSize, offset } = scales;
  const decoded = (value: number, i: number) =>
    Math.fround(code[value]! * absmax[Math.floor(i / nestedBlockSize)]!) + offset;
  return Float32Array.from(codes, decoded);
}

async function leadingDimensions({ backend, oracle }: Suite): Promise<void> {
  await scoped(async (own) => {
    const x = own(floats(oracle, "float32", [5, 64], normals(320, 1)));
    const weight = own(await own(await quantize(x, { format: "nf4" })).to(backend));
    const dense = own(floats(backend, "float32", [5, 64], normals(320, 1)));
    for (const lead of [[], [1], [2, 3], [2, 1, 3]]) {
      const size = lead.reduce((product, dimension) => product * dimension, 64);
      const x = own(floats(backend, "float32", [...lead, 64], normals(size, 2)));
      expect(own(backend.kernels.gemm4bit({ x, weight }).out).shape).toEqual([...lead, 5]);
      expect(own(backend.kernels.gemm({ x, weight: dense }).out).shape).toEqual([...lead, 5]);
    }
  });
}
