/** Quantization and decoding by the reference kernels, bit for bit against exact arithmetic. */
import {
  createQuantizedTensor,
  type Float,
  type Format,
  formatNames,
  fromFloat32,
  getFormat,
  nestedScales,
  type Profile,
  referenceBackend,
  thresholdsOf,
} from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import * as exact from "./exact.js";
import { type Blocks, decide4bit, decide8bit, decodeCode, quantize4bit, quantize8bit } from "./exact-codes.js";
import { absmaxes, bitsOf, edgeAbsmaxes, firstDifference, floats, mixedValues, thresholdBlocks } from "./samples.js";

const backend = referenceBackend();
const profiles: readonly Profile[] = ["reference", "cpu", "cuda"];
const formats4bit = ["nf4", "fp4", "af4"].map(getFormat);
const formats8bit = ["int8-blockwise", "int8-blockwise-unsigned"].map(getFormat);

interface Case {
  readonly values: Float32Array;
  readonly blockSize: number;
  readonly dtype: Float;
  readonly profile: Profile;
}

async function found4bit(format: Format, { values, blockSize, dtype, profile }: Case): Promise<Blocks> {
  using x = backend.tensor(dtype, [values.length], fromFloat32(dtype, values));
  return readBlocks(backend.kernels.quantize4bit({ x, format: format.name, blockSize, profile }));
}

async function found8bit(format: Format, { values, blockSize, dtype, profile }: Case): Promise<Blocks> {
  using x = backend.tensor(dtype, [values.length], fromFloat32(dtype, values));
  using code = backend.tensor("float32", [256], format.code);
  return readBlocks(backend.kernels.quantizeBlockwise({ x, code, blockSize, profile }));
}

type Quantized = ReturnType<typeof backend.kernels.quantize4bit>;

async function readBlocks({ codes, absmax }: Quantized): Promise<Blocks> {
  const blocks = { codes: await codes.read(), absmax: bitsOf(await absmax.read()) };
  codes.dispose();
  absmax.dispose();
  return blocks;
}

function expectSame(found: Blocks, expected: Blocks): void {
  expect(firstDifference(found.absmax, expected.absmax), "absmax").toBeUndefined();
  expect(firstDifference(found.codes, expected.codes), "codes").toBeUndefined();
}

async function check4bit(format: Format, input: Case): Promise<void> {
  const expected = quantize4bit(bitsOf(input.values), input.blockSize, format, input.profile);
  expectSame(await found4bit(format, input), expected);
}

async function check8bit(format: Format, input: Case): Promise<void> {
  const expected = quantize8bit(bitsOf(input.values), input.blockSize, format.code, input.profile);
  expectSame(await found8bit(format, input), expected);
}

/** Every number at which a 4-bit decision changes, under any profile. */
function thresholds4bit(format: Format): number[] {
  const literals = [...(format.cuda?.thresholds ?? [])].flatMap((threshold) => [threshold, -threshold]);
  return [...thresholdsOf(format.code).bounds, ...literals];
}

const named = (formats: readonly Format[]) =>
  formats.flatMap((format) => profiles.map((profile) => ({ name: format.name, format, profile })));

describe.each(named(formats4bit))("$name, profile $profile", ({ format, profile }) => {
  test.each(floats)("all thresholds ± 3 ulp for 64 absmax, %s", async (dtype) => {
    const scales = absmaxes(dtype, 64, 11);
    for (const group of blocksOfAtMost(format, thresholds4bit(format))) {
      const input = { ...thresholdBlocks(dtype, group, scales), dtype, profile };
      expect(format.blockSizes).toContain(input.blockSize);
      await check4bit(format, input);
    }
  });

  test("all thresholds ± 3 ulp for 64 absmax in a partial block, which divides", async () => {
    for (const group of blocksOfAtMost(format, thresholds4bit(format))) {
      for (const absmax of absmaxes("float32", 64, 15)) {
        const { values, blockSize } = thresholdBlocks("float32", group, Float32Array.of(absmax));
        const partial = values.slice(0, 1 + group.length * 7);
        expect(partial.length).toBeLessThan(blockSize);
        await check4bit(format, { values: partial, blockSize, dtype: "float32", profile });
      }
    }
  });

  test.each(floats)("mixed blocks with zeros, tails and odd sizes, %s", async (dtype) => {
    for (const [size, seed] of [
      [8000, 1],
      [2400, 2],
      [1217, 3],
      [64, 4],
      [63, 5],
      [33, 6],
      [1, 7],
    ] as const) {
      await check4bit(format, { values: mixedValues(dtype, size, 64, seed), blockSize: 64, dtype, profile });
    }
  });

  test.each(edgeAbsmaxes)("full block and tail whose absmax is %d", async (absmax) => {
    const values = edgeBlock(absmax, 64 + 37);
    await check4bit(format, { values, blockSize: 64, dtype: "float32", profile });
  });

  test("a zero block and a zero tail", async () => {
    const zeros = { values: new Float32Array(64 + 9), blockSize: 64, dtype: "float32", profile } as const;
    await check4bit(format, zeros);
    const { codes, absmax } = await found4bit(format, zeros);
    const zero = decide4bit(format, profile)(profile === "cuda" ? exact.nan32 : 0);
    expect(codes[0]).toBe((zero << 4) | zero);
    expect([...absmax]).toEqual([0, profile === "cuda" ? 0 : exact.fromDecimal("1e-38")]);
  });
});

/** Splits thresholds so that each group with its 7 neighbours fits a block size of the format. */
function blocksOfAtMost(format: Format, thresholds: readonly number[]): number[][] {
  const most = Math.floor((Math.min(256, Math.max(...format.blockSizes)) - 1) / 7);
  const groups = Math.ceil(thresholds.length / most);
  const size = Math.ceil(thresholds.length / groups);
  return Array.from({ length: groups }, (_, i) => thresholds.slice(i * size, (i + 1) * size));
}

/** Multiples and fractions of an absmax, its own sign variants first. */
function edgeBlock(absmax: number, size: number): Float32Array {
  const fractions = mixedValues("float32", size, 1024, 9);
  const largest = fractions.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return fractions.map((value, i) => (i % 16 === 0 ? absmax : (value / largest) * absmax));
}

describe.each(named(formats8bit))("$name, profile $profile", ({ format, profile }) => {
  test("all thresholds ± 3 ulp for 64 absmax", async () => {
    const { bounds } = thresholdsOf(format.code);
    const scales = absmaxes("float32", 64, 12);
    const input = { ...thresholdBlocks("float32", [...bounds], scales), dtype: "float32", profile } as const;
    await check8bit(format, input);
  });

  test.each(["float16", "bfloat16"] as const)("all thresholds ± 3 ulp for 8 absmax, %s", async (dtype) => {
    const { bounds } = thresholdsOf(format.code);
    await check8bit(format, { ...thresholdBlocks(dtype, [...bounds], absmaxes(dtype, 8, 13)), dtype, profile });
  });

  test.each(floats)("mixed blocks with zeros, tails and odd sizes, %s", async (dtype) => {
    for (const [size, blockSize] of [
      [10_000, 64],
      [1217, 100],
      [300, 256],
      [7, 1],
      [5, 4096],
    ] as const) {
      await check8bit(format, { values: mixedValues(dtype, size, blockSize, size), blockSize, dtype, profile });
    }
  });

  test.each(edgeAbsmaxes)("full block and tail whose absmax is %d", async (absmax) => {
    await check8bit(format, { values: edgeBlock(absmax, 300), blockSize: 256, dtype: "float32", profile });
  });

  test("a zero block", async () => {
    const zeros = { values: new Float32Array(70), blockSize: 64, dtype: "float32", profile } as const;
    const { codes } = await found8bit(format, zeros);
    const ofZero = decide8bit(format.code, "reference")(0);
    expect(new Set(codes)).toEqual(new Set([profile === "reference" ? ofZero : 0]));
  });
});

test.each([
  ["int8-blockwise", 127],
  ["int8-blockwise-unsigned", 0],
] as const)("the code of 0.0 in %s is %i", (name, code) => {
  expect(decide8bit(getFormat(name).code, "reference")(0)).toBe(code);
});

test("under profile cpu no bin is centred on zero", async () => {
  const values = Float32Array.of(1, 0);
  const input = { values, blockSize: 64, dtype: "float32", profile: "cpu" } as const;
  expect((await found8bit(getFormat("int8-blockwise"), input)).codes[1]).toBe(131);
  expect((await found8bit(getFormat("int8-blockwise-unsigned"), input)).codes[1]).toBe(7);
});

const targets = { float32: exact.binary32, float16: exact.binary16, bfloat16: exact.brain16 } as const;

/** Patterns of decoded values; f32 results as patterns too, so that the sign of zero counts. */
const patternsOf = (data: Float32Array | Uint16Array): ArrayLike<number> =>
  data instanceof Float32Array ? bitsOf(data) : data;

const narrowed = (dtype: Float, bits: number): number =>
  dtype === "float32" ? bits : exact.narrowTo(targets[dtype], bits);

describe.each(floats)("decoding to %s", (dtype) => {
  test.each(formatNames().filter((name) => getFormat(name).scales === "block"))(
    "%s, every code and scale",
    async (name) => {
      const format = getFormat(name);
      const scales = Float32Array.of(0, ...absmaxes("float32", 31, 14));
      const blockSize = 256;
      const bytes = Uint8Array.from({ length: scales.length * blockSize }, (_, i) => i % 256);
      const codes = format.bits === 8 ? bytes : Uint8Array.from({ length: bytes.length / 2 }, (_, i) => (i * 7) % 256);
      const found = await decodedBy(format, codes, scales, blockSize, dtype);
      const table = bitsOf(format.code);
      const expected = Array.from({ length: bytes.length }, (_, i) =>
        narrowed(dtype, decodeCode(table[codeOf(format, codes, i)]!, bitsOf(scales)[Math.floor(i / blockSize)]!)),
      );
      expect(firstDifference(found, expected)).toBeUndefined();
    },
  );
});

const codeOf = (format: Format, codes: Uint8Array, i: number): number =>
  format.bits === 8 ? codes[i]! : (codes[i >> 1]! >> (i % 2 === 0 ? 4 : 0)) & 15;

async function decodedBy(format: Format, bytes: Uint8Array, scales: Float32Array, blockSize: number, dtype: Float) {
  using codes = backend.tensor("uint8", [bytes.length], bytes);
  using absmax = backend.tensor("float32", [scales.length], scales);
  using code = backend.tensor("float32", [format.code.length], format.code);
  const { dequantizeBlockwise, dequantize4bit } = backend.kernels;
  if (format.bits === 8) {
    using out = dequantizeBlockwise({ codes, absmax, code, blockSize, dtype }).out;
    return patternsOf(await out.read());
  }
  const size = bytes.length * 2;
  const parts = {
    format: format.name,
    shape: [size],
    dtype,
    blockSize,
    codes,
    scales: { kind: "block", absmax },
  } as const;
  using out = dequantize4bit({ weight: createQuantizedTensor(parts), dtype }).out;
  return patternsOf(await out.read());
}

describe("nested statistics", () => {
  const maxima = mixedValues("float32", 5000, 512, 21).map((value) => Math.abs(value) % 1000);

  test("the offset is the float64 mean, and the codes are those of fr(absmax − offset)", async () => {
    const scales = await nestedScales(maxima, backend, "reference");
    const exactMean = maxima.reduce((sum, value) => sum + value, 0) / maxima.length;
    expect(scales.offset).toBe(Math.fround(exactMean));
    const offset = exact.negate32(bitsOf(Float32Array.of(scales.offset))[0]!);
    const centred = Array.from(bitsOf(maxima), (bits) => exact.add(bits, offset));
    const expected = quantize8bit(centred, 256, getFormat("int8-blockwise").code, "reference");
    expectSame({ codes: await scales.absmax.read(), absmax: bitsOf(await scales.nestedAbsmax.read()) }, expected);
  });

  test("decode as fr(fr(code · absmax) + offset)", async () => {
    const { absmax: codes, nestedAbsmax, nestedCode: code, offset } = await nestedScales(maxima, backend, "reference");
    using out = backend.kernels.dequantizeBlockwise({
      codes,
      absmax: nestedAbsmax,
      code,
      blockSize: 256,
      offset,
      dtype: "float32",
    }).out;
    const [table, outer] = [bitsOf(await code.read()), bitsOf(await nestedAbsmax.read())];
    const bytes = await codes.read();
    const offsetBits = bitsOf(Float32Array.of(offset))[0]!;
    const expected = Array.from(bytes, (byte, i) => decodeCode(table[byte]!, outer[Math.floor(i / 256)]!, offsetBits));
    expect(firstDifference(patternsOf(await out.read()), expected)).toBeUndefined();
  });
});
