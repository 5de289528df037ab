/** Formats as records: the bytes of their tables, the rules they obey, and the error bound that follows from a table. */
import { createHash } from "node:crypto";
import {
  bitsPerWeight,
  createDynamicMap,
  createNormalMap,
  dequantize,
  type Float,
  type Format,
  formatNames,
  fromFloat32,
  getFormat,
  packCodes,
  quantize,
  referenceBackend,
  registerFormat,
  tableFormat,
  thresholdsOf,
  toFloat32,
  unpackCodes,
} from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unitRoundoff } from "../../src/dtype.js";
import { checkFormat } from "../../src/formats/format.js";
import { normalQuantile } from "../../src/formats/normal-quantile.js";
import { codeAt, lookUpCodes, packPair } from "../../src/formats/packing.js";
import { openGolden } from "./golden.js";
import { bitsOf, floats, mixedValues, normals } from "./samples.js";

const backend = referenceBackend();

/** Over the little-endian bytes, as the specification counts them. */
const sha256 = (values: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");

describe("tables", () => {
  test("the signed dynamic map has the bytes of published checkpoints", () => {
    expect(sha256(createDynamicMap())).toBe("e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c");
  });

  test("the unsigned dynamic map has the bytes of the specification", () => {
    const expected = "305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398";
    expect(sha256(createDynamicMap({ signed: false }))).toBe(expected);
  });

  test("the nf4 table has the bytes of the specification", () => {
    const expected = "8501941daa1b8a90ad1bbfeb632e5101b5dddbc4bb52d6e55abcfd777e60c06a";
    expect(sha256(getFormat("nf4").code)).toBe(expected);
  });

  test("nf4 is the normal map without its padding, to f32 accuracy", () => {
    const quantiles = [...createNormalMap()].filter((value) => value !== 0);
    const inTable = [...getFormat("nf4").code].filter((value) => value !== 0);
    expect(inTable).toHaveLength(quantiles.length);
    for (const [i, value] of inTable.entries()) expect(Math.abs(value - quantiles[i]!)).toBeLessThan(2e-6);
  });

  test("fp4 is sign and magnitude: bit 3 negates, code 8 is +0, the largest value is code 3", () => {
    const { code } = getFormat("fp4");
    for (let low = 1; low < 8; low++) expect(code[low + 8]).toBe(-code[low]!);
    expect([bitsOf(code)[0], bitsOf(code)[8], code[3]]).toEqual([0, 0, 1]);
    expect(new Set([...code].map((value) => value * 192).map(Math.round)).size).toBe(15);
  });

  test("af4 is a record like the others, in descending code order, for block 64 alone", async () => {
    const { code, blockSizes } = getFormat("af4");
    expect([...code]).toEqual([...code].sort((a, b) => b - a));
    expect(blockSizes).toEqual([64]);
    using x = backend.tensor("float32", [4, 64], normals(256, 1));
    using weight = await quantize(x, { format: "af4" });
    expect(weight.blockSize).toBe(64);
    await expect(quantize(x, { format: "af4", blockSize: 128 })).rejects.toMatchObject({
      code: "UNSUPPORTED_BLOCK_SIZE",
    });
  });

  test.each(["nf4", "fp4"])("bounds and order of %s are those of the golden vectors", async (name) => {
    const golden = await openGolden("8bit/maps");
    const wanted = golden.cases.find(
      (entry) => entry.op === "quantize_4bit_bounds" && entry.params["quant_type"] === name,
    );
    const { bounds, order } = thresholdsOf(getFormat(name).code);
    const bytes = new Uint8Array(bounds.buffer, bounds.byteOffset, bounds.byteLength);
    expect(bytes).toEqual(await golden.bytes(wanted!.outputs["bounds"]!));
    expect([...order]).toEqual([...(await golden.bytes(wanted!.outputs["order"]!))].filter(isLowByte(order.length)));
  });

  test.each(formatNames())("%s keeps the rules of its record", (name) => {
    const format = getFormat(name);
    expect(() => checkFormat(format)).not.toThrow();
    expect(format.blockSizes).toContain(format.defaultBlockSize);
    expect(Math.max(...format.code.map(Math.abs))).toBeCloseTo(format.scales === "row" ? 128 / 127 : 1, 6);
    expect(format.source).not.toBe("");
  });
});

/** The order may be stored in a wider integer; its values fit a byte. */
const isLowByte =
  (count: number) =>
  (_: number, index: number, all: readonly number[]): boolean =>
    index % (all.length / count) === 0;

describe("bits per weight", () => {
  test.each([
    ["nf4", 64, false, 4.5],
    ["nf4", 64, true, 4.127],
    ["nf4", 128, false, 4.25],
    ["int8-blockwise", 4096, false, 8.008],
    ["int8-rowwise", 0, false, 8],
  ] as const)("%s, block %i, nested %s: %d", (name, blockSize, nested, expected) => {
    expect(bitsPerWeight(getFormat(name), blockSize, nested)).toBeCloseTo(expected, 3);
  });
});

describe("a bad record", () => {
  const good = tableFormat(
    "good",
    Float32Array.from({ length: 16 }, (_, i) => i / 15),
    "a test",
  );
  const bad: readonly (readonly [string, Partial<Format>])[] = [
    ["a name with capitals", { name: "Bad" }],
    ["an empty name", { name: "" }],
    ["a name that starts with a dash", { name: "-x" }],
    ["15 entries", { code: good.code.slice(1) }],
    ["16 entries of 8 bits", { bits: 8 }],
    ["NaN in the table", { code: good.code.map((value, i) => (i === 3 ? Number.NaN : value)) }],
    ["Infinity in the table", { code: good.code.map((value, i) => (i === 3 ? Infinity : value)) }],
    ["an unsorted 8-bit table", { bits: 8, code: Float32Array.from({ length: 256 }, (_, i) => 1 - i / 255) }],
    ["an odd block size", { blockSizes: [64, 33] }],
  ];

  test.each(bad)("%s is refused", (_, change) => {
    expect(() => registerFormat({ ...good, ...change })).toThrow(expect.objectContaining({ code: "INVALID_FORMAT" }));
    expect(formatNames()).not.toContain(change.name ?? "good");
  });

  test("a taken name is refused", () => {
    expect(() => registerFormat({ ...good, name: "nf4" })).toThrow(expect.objectContaining({ code: "INVALID_FORMAT" }));
  });

  test("an unknown name is UNKNOWN_FORMAT", () => {
    expect(() => getFormat("nf5")).toThrow(expect.objectContaining({ code: "UNKNOWN_FORMAT" }));
  });
});

describe("packing", () => {
  const anyCodes = fc.uint8Array({ max: 15, maxLength: 300 });

  test("unpacking gives back what was packed; the first code is in the high nibble", () => {
    fc.assert(
      fc.property(anyCodes, fc.integer({ min: 0, max: 15 }), (codes, padding) => {
        const bytes = packCodes(codes, padding);
        expect(bytes).toHaveLength(Math.ceil(codes.length / 2));
        expect(unpackCodes(bytes, codes.length)).toEqual(codes);
        if (codes.length > 0) expect(bytes[0]! >> 4).toBe(codes[0]);
        if (codes.length % 2 === 1) expect(bytes.at(-1)! & 15).toBe(padding);
      }),
    );
  });

  test("looking up a run of codes is looking up each", () => {
    const table = Float32Array.from({ length: 16 }, (_, i) => i + 0.5);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), fc.nat(), (bytes, a, b) => {
        const places = 2 * bytes.length + 1;
        const [begin, end] = [a % places, b % places].sort((x, y) => x - y) as [number, number];
        const out = new Float32Array(end - begin + 3).fill(-1);
        lookUpCodes(bytes, begin, end, table, out, 2);
        const expected = Array.from({ length: end - begin }, (_, i) => table[codeAt(bytes, begin + i)]!);
        expect([...out]).toEqual([-1, -1, ...expected, -1]);
      }),
    );
  });

  test("every byte is its two codes", () => {
    for (let byte = 0; byte < 256; byte++) {
      const bytes = Uint8Array.of(byte);
      expect(packPair(codeAt(bytes, 0), codeAt(bytes, 1))).toBe(byte);
    }
  });
});

describe("normalQuantile", () => {
  // Φ⁻¹ to 15 digits, Wichura's AS 241 test values and the usual tables.
  test.each([
    [0.5, 0],
    [0.25, -0.674489750196082],
    [0.75, 0.674489750196082],
    [0.975, 1.959963984540054],
    [0.001, -3.090232306167813],
    [0.999, 3.090232306167813],
    [1e-6, -4.753424308822899],
  ])("Φ⁻¹(%d) = %d", (p, expected) => {
    // Φ itself is known to about 1e-16; its slope carries that over.
    const slope = Math.exp((-expected * expected) / 2) / Math.sqrt(2 * Math.PI);
    expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(1e-15 + 4e-16 / slope);
  });

  test("is odd around 1/2 and increasing", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 0.4999, noNaN: true }), (p) => {
        expect(normalQuantile(p) + normalQuantile(1 - p)).toBeCloseTo(0, 9);
        expect(normalQuantile(p)).toBeLessThan(normalQuantile(p + 1e-5));
      }),
    );
  });
});

/** Half the wider gap next to each code: no value nearest to it is further away. The ends have a value beyond only by clamping. */
function reach(format: Format): Float32Array {
  const { order } = thresholdsOf(format.code);
  const sorted = Array.from(order, (index) => format.code[index]!);
  const out = new Float32Array(order.length);
  for (const [i, value] of sorted.entries()) {
    // Beyond the first and last code lies what is left up to ±1.
    const below = i === 0 ? value + 1 : (value - sorted[i - 1]!) / 2;
    const above = i === sorted.length - 1 ? 1 - value : (sorted[i + 1]! - value) / 2;
    out[order[i]!] = Math.max(below, above);
  }
  return out;
}

const codesOf = (format: Format, bytes: Uint8Array | Int8Array, size: number): Uint8Array =>
  format.bits === 4 ? unpackCodes(bytes as Uint8Array, size) : (bytes as Uint8Array);

/** Formats that take values of both signs; the unsigned and fp8-like maps are covered by their own bound of half a gap. */
const blockFormats = formatNames()
  .map(getFormat)
  .filter((format) => format.scales === "block");

interface RoundTrip {
  readonly x: Float32Array;
  readonly back: Float32Array;
  readonly absmax: Float32Array;
  readonly codes: Uint8Array;
  readonly blockSize: number;
}

async function roundTrip(format: Format, values: Float32Array, dtype: Float, nested: boolean): Promise<RoundTrip> {
  using x = backend.tensor(dtype, [values.length], fromFloat32(dtype, values));
  using weight = await quantize(x, { format: format.name, blockSize: 64, nested });
  using out = dequantize(weight, { dtype: "float32" });
  const back = toFloat32("float32", await out.read());
  const codes = codesOf(format, await weight.codes.read(), values.length);
  return { x: values, back, absmax: await usedScales(weight), codes, blockSize: weight.blockSize };
}

/** Scales that decoding uses: stored ones, or what nested statistics decode to. */
async function usedScales({ scales }: Awaited<ReturnType<typeof quantize>>): Promise<Float32Array> {
  if (scales.kind !== "nested") return scales.absmax.read();
  const { absmax: codes, nestedAbsmax: absmax, nestedCode: code, nestedBlockSize: blockSize, offset } = scales;
  using out = backend.kernels.dequantizeBlockwise({ codes, absmax, code, blockSize, offset, dtype: "float32" }).out;
  return toFloat32("float32", await out.read());
}

/** The first element further from its original than the bound allows. */
function firstBeyond(format: Format, { x, back, absmax, codes, blockSize }: RoundTrip, trueAbsmax: Float32Array) {
  const reaches = reach(format);
  for (let i = 0; i < x.length; i++) {
    const block = Math.floor(i / blockSize);
    const [scale, used] = [trueAbsmax[block]!, absmax[block]!];
    const code = codes[i]!;
    // Thresholds and scaled values are rounded (some u each), decoding rounds once more; nested scales are off by a known amount.
    const rounding = 4 * unitRoundoff("float32") * (scale + Math.abs(used)) + 2 ** -148;
    const bound = scale * reaches[code]! + Math.abs(format.code[code]! * (used - scale)) + rounding;
    const error = Math.abs(x[i]! - back[i]!);
    if (!(error <= bound)) return { index: i, x: x[i], back: back[i], error, bound };
  }
  return undefined;
}

const blockMaxima = (x: Float32Array, blockSize: number): Float32Array =>
  Float32Array.from({ length: Math.ceil(x.length / blockSize) }, (_, b) =>
    x.subarray(b * blockSize, (b + 1) * blockSize).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-38),
  );

describe.each(blockFormats.map((format) => ({ name: format.name, format })))("$name", ({ name, format }) => {
  test.each(floats)("no error exceeds half a gap of the table, %s", async (dtype) => {
    const isUnsigned = format.code.every((value) => value >= 0);
    const positive = (values: Float32Array) => (isUnsigned ? values.map(Math.abs) : values);
    for (const [size, seed] of [
      [4096, 31],
      [1001, 32],
      [3, 33],
    ] as const) {
      for (const nested of [false, true]) {
        const values = positive(mixedValues(dtype, size, 64, seed).map(withoutExtremes));
        const trip = await roundTrip(format, toFloat32(dtype, fromFloat32(dtype, values)), dtype, nested);
        expect(
          firstBeyond(format, trip, blockMaxima(trip.x, 64)),
          `${name}, ${size}, nested ${nested}`,
        ).toBeUndefined();
      }
    }
  });
});

/** Nested statistics of blocks whose maxima span the whole range lose the small ones entirely; that is not what is tested. */
const withoutExtremes = (value: number): number => Math.sign(value) * Math.min(Math.abs(value), 1e30);
