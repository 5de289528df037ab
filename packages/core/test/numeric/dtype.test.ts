/** float16 and bfloat16: all 65 536 patterns, and every place where rounding to them decides. */
import { fromFloat32, toFloat32 } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { bytesOf, byteWidth, dtypes, narrow, viewAs, widen } from "../../src/dtype.js";
import * as exact from "./exact.js";
import { bitsOf, firstDifference } from "./samples.js";

const allPatterns = Uint16Array.from({ length: 65536 }, (_, i) => i);

const halves = [
  { dtype: "float16", format: exact.binary16 },
  { dtype: "bfloat16", format: exact.brain16 },
] as const;

const sign32 = (pattern: number): number => (pattern >= 0x8000 ? 0x80000000 : 0);

/** The binary32 pattern of a 16-bit one; NaN and Infinity by moving the payload, the rest by value. */
function widened(format: exact.FloatFormat, pattern: number): number {
  const magnitude = exact.magnitude(pattern, format);
  if (magnitude < exact.infinity(format)) return exact.round(exact.decode(pattern, format));
  const payload = (magnitude - exact.infinity(format)) * 2 ** (23 - format.mantissaBits);
  return sign32(pattern) + exact.infinity() + payload;
}

function isSignallingNaN(format: exact.FloatFormat, pattern: number): boolean {
  const fraction = exact.magnitude(pattern, format) - exact.infinity(format);
  return fraction > 0 && fraction < 2 ** (format.mantissaBits - 1);
}

/** Binary32 patterns around a pattern, of both signs. */
const around = (pattern: number): number[] =>
  [-1, 0, 1].flatMap((step) => [pattern + step, pattern + step + 0x80000000]).filter((bits) => bits >= 0);

describe.each(halves)("$dtype", ({ dtype, format }) => {
  test("every pattern widens exactly, NaN payloads included", () => {
    const expected = Array.from(allPatterns, (pattern) => widened(format, pattern));
    expect(firstDifference(bitsOf(toFloat32(dtype, allPatterns)), expected)).toBeUndefined();
  });

  test("every pattern survives the round trip; a signalling NaN becomes quiet", () => {
    const quiet = 2 ** (format.mantissaBits - 1);
    const expected = allPatterns.map((pattern) => (isSignallingNaN(format, pattern) ? pattern + quiet : pattern));
    expect(firstDifference(fromFloat32(dtype, toFloat32(dtype, allPatterns)), expected)).toBeUndefined();
  });

  test("all midpoints between neighbours, and the numbers beside them, round as exact arithmetic does", () => {
    const finite = Array.from({ length: exact.infinity(format) }, (_, i) => i);
    // The last midpoint lies half a step above the largest number: the tie that overflows.
    const midpoints = finite.map((pattern) => {
      const [lower, upper] = [exact.decode(pattern, format), nextAbove(pattern, format)];
      return exact.round({ ...exact.sum(lower, upper), denominator: lower.denominator * upper.denominator * 2n });
    });
    checkRounding(dtype, format, midpoints.flatMap(around));
  });

  test("random numbers of every exponent, Infinity and NaN round as exact arithmetic does", () => {
    const random = Array.from({ length: 20_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 0);
    const special = [0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x7fa12345, 0x7f7fffff, 1, 0];
    checkRounding(dtype, format, [...random, ...special]);
  });
});

/** The next number above; above the largest one, where it would be if the exponent went on. */
function nextAbove(pattern: number, format: exact.FloatFormat): exact.Rational {
  if (pattern + 1 < exact.infinity(format)) return exact.decode(pattern + 1, format);
  const [last, before] = [exact.decode(pattern, format), exact.decode(pattern - 1, format)];
  return exact.sum(exact.sum(last, last), { ...before, negative: true });
}

function checkRounding(dtype: "float16" | "bfloat16", format: exact.FloatFormat, bits: readonly number[]): void {
  const values = new Float32Array(Uint32Array.from(bits).buffer);
  const expected = bits.map((pattern) => exact.narrowTo(format, pattern));
  expect(firstDifference(fromFloat32(dtype, values), expected)).toBeUndefined();
}

test("float32 keeps every bit, NaN payloads included", () => {
  const patterns = Uint32Array.of(0x7fa12345, 0xffc00001, 0x80000000, 1, 0x7f7fffff);
  const values = new Float32Array(patterns.buffer);
  expect(bitsOf(fromFloat32("float32", toFloat32("float32", values)))).toEqual(patterns);
});

test("conversions of a part leave the rest alone", () => {
  const out = Uint16Array.of(1, 2, 3, 4);
  narrow("bfloat16", Float32Array.of(1, 2, 9), 2, out, 1);
  expect([...out]).toEqual([1, 0x3f80, 0x4000, 4]);
  const wide = Float32Array.of(7, 7, 7);
  widen("bfloat16", out, 1, 3, wide);
  expect([...wide]).toEqual([1, 2, 7]);
});

/** The types of this Node say that a Buffer is no Uint8Array of ArrayBufferLike; it is one. */
const asBytes = (buffer: Buffer): Uint8Array => buffer as unknown as Uint8Array;

describe("viewAs", () => {
  test.each(dtypes)("%s bytes at every offset read the same, aligned ones without a copy", (dtype) => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 251);
    const width = byteWidth(dtype);
    const expected = bytesOf(viewAs(dtype, bytes.slice(0, 4 * width)));
    for (let offset = 0; offset < 9; offset++) {
      const shifted = new Uint8Array(80);
      shifted.set(bytes, offset);
      const view = viewAs(dtype, shifted.subarray(offset, offset + 4 * width));
      expect(bytesOf(view)).toEqual(expected);
      expect(view.buffer === shifted.buffer, `offset ${offset}`).toBe(offset % width === 0);
    }
  });

  test("unaligned bytes of a pooled Node buffer are read at their own place", () => {
    const pool = Buffer.from(new Uint8Array(32));
    pool.writeFloatLE(1.5, 5);
    expect([...viewAs("float32", asBytes(pool.subarray(5, 9)))]).toEqual([1.5]);
  });
});
