/** Quantize and dequantize on random blocks: the same bits as the reference kernels, and errors within half a step. */
import {
  createDynamicMap,
  createFp8Map,
  createLinearMap,
  createQuantizedTensor,
  dequantize,
  type Float,
  formatNames,
  getFormat,
  quantize,
  toFloat32,
} from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { any4bitFormat, anyContent, anyFloat, anySeed, type Content, contentOf, normals } from "./data.js";
import { expectSameBits, expectValues, floats, ownAll, type Suite, scoped } from "./suite.js";
import { modelOf, packed } from "./thresholds.js";

export const quantizeCases = (suite: Suite): void => describeFormats(suite, formatNames());

/** Without the formats that keep a scale for each row, which are made by kernels of their own. */
export const blockQuantizeCases = (suite: Suite): void =>
  describeFormats(
    suite,
    formatNames().filter((name) => getFormat(name).scales !== "row"),
  );

function describeFormats(suite: Suite, formats: readonly string[]): void {
  describe("quantize and dequantize", () => {
    test("quantize4bit gives the reference kernels' bits", () => sameAs4bit(suite));
    test("quantizeBlockwise gives the reference kernels' bits", () => sameAsBlockwise(suite));
    test("every finite 16-bit pattern quantizes by the rules", () => everyPattern(suite));
    test("sizes around a block, odd ones included", () => smallSizes(suite));
    test("dequantize4bit gives the reference kernels' bits for every byte", () => sameDecoded(suite));
    test("nested statistics decode like flat ones", () => nestedDecode(suite));
    for (const format of formats) {
      test(`${format}: dequantize(quantize(x)) stays within half a step`, () => roundTrip(suite, format));
    }
  });
}

const anySize = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 10_000 }));

async function sameAs4bit(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(
    any4bitFormat,
    fc.nat(7),
    anyFloat,
    anySize,
    anyContent,
    anySeed,
    async (format, pick, dtype, size, content, seed) => {
      const { blockSizes } = getFormat(format);
      const blockSize = blockSizes[pick % blockSizes.length]!;
      const x = contentOf(content, dtype, size, seed, blockSize);
      await scoped(async (own) => {
        const [found, expected] = [suite.backend, suite.oracle].map((backend) =>
          ownAll(own, backend.kernels.quantize4bit({ x: own(floats(backend, dtype, [size], x)), format, blockSize })),
        );
        await expectSameBits(found!.absmax, expected!.absmax);
        await expectSameBits(found!.codes, expected!.codes);
      });
    },
  );
  await fc.assert(property, suite.runs(60));
}

const maps: Readonly<Record<string, Float32Array>> = {
  dynamic: createDynamicMap(),
  unsigned: createDynamicMap({ signed: false }),
  linear: createLinearMap(),
  fp8: createFp8Map({ exponentBits: 4, precisionBits: 3 }),
};
const anyMap = fc.constantFrom(...Object.keys(maps));
/** The listed sizes, and any other: 8-bit blocks may have every size. */
const anyBlockSize = fc.oneof(fc.constantFrom(64, 128, 256, 512, 1024, 2048, 4096), fc.integer({ min: 1, max: 300 }));

async function sameAsBlockwise(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(
    anyMap,
    anyBlockSize,
    anyFloat,
    anySize,
    anyContent,
    anySeed,
    async (map, blockSize, dtype, size, content, seed) => {
      const x = contentOf(content, dtype, size, seed, blockSize);
      await scoped(async (own) => {
        const [found, expected] = [suite.backend, suite.oracle].map((backend) => {
          const code = own(backend.tensor("float32", [256], maps[map]!));
          const codes = ownAll(
            own,
            backend.kernels.quantizeBlockwise({ x: own(floats(backend, dtype, [size], x)), code, blockSize }),
          );
          const out = own(backend.kernels.dequantizeBlockwise({ ...codes, code, blockSize, offset: 0.25, dtype }).out);
          return { ...codes, out };
        });
        await expectSameBits(found!.absmax, expected!.absmax);
        await expectSameBits(found!.codes, expected!.codes);
        await expectSameBits(found!.out, expected!.out);
      });
    },
  );
  await fc.assert(property, suite.runs(60));
}

/** All finite float16 and bfloat16 numbers, sorted into blocks as they come, against the rules written out. */
async function everyPattern({ backend }: Suite): Promise<void> {
  for (const dtype of ["float16", "bfloat16"] as const) {
    const all = toFloat32(
      dtype,
      Uint16Array.from({ length: 65536 }, (_, bits) => bits),
    );
    const x = all.filter(Number.isFinite);
    for (const format of ["nf4", "fp4"]) await expectModel4bit(backend, dtype, format, x);
  }
}

async function expectModel4bit(
  backend: Suite["backend"],
  dtype: Float,
  format: string,
  x: Float32Array,
): Promise<void> {
  const { code } = getFormat(format);
  const expected = modelOf(x, { code, blockSize: 32, dividesTail: true });
  await scoped(async (own) => {
    const args = { x: own(floats(backend, dtype, [x.length], x)), format, blockSize: 32 };
    const { codes, absmax } = ownAll(own, backend.kernels.quantize4bit(args));
    await expectValues(absmax, expected.absmax);
    await expectValues(codes, packed(expected.codes, zeroCode(code)));
  });
}

const zeroCode = (code: Float32Array): number =>
  modelOf(Float32Array.of(0), { code, blockSize: 1, dividesTail: false }).codes[0]!;

async function smallSizes({ backend }: Suite): Promise<void> {
  for (const size of [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 95, 127, 128, 129]) {
    for (const format of ["nf4", "fp4"]) await expectModel4bit(backend, "float32", format, normals(size, size + 1));
  }
}

/** Arbitrary bytes, sizes that straddle rows, each dtype, the sign of zero included. */
async function sameDecoded(suite: Suite): Promise<void> {
  const anyShape = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 200 }));
  const property = fc.asyncProperty(any4bitFormat, anyShape, anyFloat, anySeed, async (format, [n, k], dtype, seed) => {
    const size = n * k;
    const codes = Uint8Array.from(normals(Math.ceil(size / 2), seed), (value) => Math.abs(value) * 1e4);
    const absmax = contentOf("mixedScales", "float32", Math.ceil(size / 64), seed, 1).map(Math.abs);
    await scoped(async (own) => {
      const [found, expected] = [suite.backend, suite.oracle].map((backend) => {
        const scales = { kind: "block", absmax: own(backend.tensor("float32", [absmax.length], absmax)) } as const;
        const parts = {
          format,
          shape: [n, k],
          dtype,
          blockSize: 64,
          codes: own(backend.tensor("uint8", [codes.length], codes)),
          scales,
        };
        return own(dequantize(createQuantizedTensor(parts)));
      });
      await expectSameBits(found!, expected!);
    });
  });
  await fc.assert(property, suite.runs(40));
}

async function nestedDecode(suite: Suite): Promise<void> {
  const property = fc.asyncProperty(
    any4bitFormat,
    fc.integer({ min: 1, max: 40_000 }),
    anyFloat,
    anySeed,
    async (format, size, dtype, seed) => {
      await scoped(async (own) => {
        const [found, expected] = await Promise.all(
          [suite.backend, suite.oracle].map(async (backend) => {
            const x = own(floats(backend, dtype, [size], normals(size, seed, 0.1)));
            const weight = own(await quantize(x, { format, blockSize: 64, nested: true }));
            return { weight, out: own(backend.kernels.dequantize4bit({ weight, dtype }).out) };
          }),
        );
        await expectSameBits(found!.weight.scales.absmax, expected!.weight.scales.absmax);
        await expectSameBits(found!.out, expected!.out);
      });
    },
  );
  await fc.assert(property, suite.runs(15));
}

/** Everything whose scaling does not lose precision first: blocks below 1e-38 are scaled as if their maximum were 1e-38. */
const anyOrdinary = fc.constantFrom<Content>(
  "normal",
  "weights",
  "heavyTail",
  "tiny",
  "huge",
  "sparse",
  "constant",
  "zeroBlocks",
);

async function roundTrip(suite: Suite, name: string): Promise<void> {
  const format = getFormat(name);
  const property = fc.asyncProperty(
    anyFloat,
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 400 }),
    anyOrdinary,
    anySeed,
    async (dtype, rows, k, content, seed) => {
      const raw = contentOf(content, dtype, rows * k, seed, format.defaultBlockSize || k);
      const x = format.code.some((value) => value < 0) ? raw : raw.map(Math.abs);
      // LLM.int8() works on float16 values; larger ones are not its business.
      if (format.scales === "row" && x.some((value) => Math.abs(value) > 65504)) return;
      await scoped(async (own) => {
        const weight = own(await quantize(own(floats(suite.backend, dtype, [rows, k], x)), { format: name }));
        const out = toFloat32("float32", await own(dequantize(weight, { dtype: "float32" })).read());
        expectWithinHalfStep(x, out, format.scales === "row" ? k : weight.blockSize, halfStep(format));
      });
    },
  );
  await fc.assert(property, suite.runs(12));
}

/**
 * Half the widest gap of the table, for a scale of 1. A table that does not reach −1 or 1 errs there by the whole distance.
 * Rows of LLM.int8() round to the nearest of 127 steps.
 */
function halfStep({ code, scales }: ReturnType<typeof getFormat>): number {
  if (scales === "row") return 0.5 / 127;
  const sorted = [...code].sort((a, b) => a - b);
  const widest = sorted.slice(1).reduce((most, value, i) => Math.max(most, value - sorted[i]!), 0);
  const low = sorted[0]! < 0 ? sorted[0]! + 1 : 0;
  return Math.max(widest / 2, 1 - sorted[sorted.length - 1]!, low);
}

/** Scaling rounds twice, the midpoint and the decoded product once each: 2⁻²¹ of absmax; 2⁻¹⁴⁹ where they underflow. */
function expectWithinHalfStep(x: Float32Array, out: Float32Array, blockSize: number, step: number): void {
  for (let begin = 0; begin < x.length; begin += blockSize) {
    const absmax = x.subarray(begin, begin + blockSize).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (absmax > 0 && absmax < 1e-38) continue;
    const bound = absmax * (step + 2 ** -21) + 2 ** -149;
    const worst = x
      .subarray(begin, begin + blockSize)
      .findIndex((value, i) => Math.abs(value - out[begin + i]!) > bound);
    expect(worst, `element ${begin + worst}: ${x[begin + worst]} became ${out[begin + worst]}`).toBe(-1);
  }
}
