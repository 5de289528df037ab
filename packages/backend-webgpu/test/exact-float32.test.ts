import { fromFloat32, toFloat32 } from "@halfbyte/core";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fusedMultiplyAdd } from "../../core/src/reference/float32.js";
import { dispatch, moduleText, noAdapter, openDevice } from "./exact-adapter.js";
import { floatsOf, patterns, wordsOf } from "./exact-patterns.js";

const count = 1 << 20;
const modules = moduleText("float32") + moduleText("float16");
let device: GPUDevice | undefined;

beforeAll(async () => {
  device = await openDevice();
  return () => device?.destroy();
});

const run = (expression: string, first: Uint32Array, second = new Uint32Array(1)) =>
  dispatch(device!, { modules, first, second, body: `let a = first[i]; result[i] = ${expression};` });

/** The first index where the bits differ, and both; undefined when none does. */
function firstDifference(got: Uint32Array, want: (i: number) => number): string | undefined {
  const i = got.findIndex((word, index) => word !== want(index) >>> 0);
  return i < 0 ? undefined : `${i}: got ${got[i]!.toString(16)}, want ${(want(i) >>> 0).toString(16)}`;
}

const quietNaN = 0x7fc00000;
/** Bits of a float32 result; the shader has one NaN. */
function bitsOf(results: Float32Array): (i: number) => number {
  const words = wordsOf(results);
  return (i) => (Number.isNaN(results[i]!) ? quietNaN : words[i]!);
}

describe("float32 by integers", () => {
  beforeEach(({ skip }) => {
    if (!device) skip(noAdapter);
  });

  const binary = [
    ["product", (a: number, b: number) => a * b],
    ["quotient", (a: number, b: number) => a / b],
    ["sum", (a: number, b: number) => a + b],
  ] as const;

  it.for(binary)("%s is Math.fround of the exact one", async ([name, operation]) => {
    const [a, b] = [patterns(count, 1), patterns(count, 2)];
    const want = bitsOf(floatsOf(a).map((value, i) => operation(value, floatsOf(b)[i]!)));
    expect(firstDifference(await run(`${name}(a, second[i])`, a, b), want)).toBeUndefined();
  });

  it.for(binary)("%s rounds subnormal results once", async ([name, operation]) => {
    const a = patterns(count, 3);
    const b = patterns(count, 4).map((word, i) => nearSmallest(word, a[i]!, name));
    const want = bitsOf(floatsOf(a).map((value, i) => operation(value, floatsOf(b)[i]!)));
    expect(firstDifference(await run(`${name}(a, second[i])`, a, b), want)).toBeUndefined();
  });

  it("sum is Math.fround of the exact one for values of like size", async () => {
    const a = patterns(count, 8);
    const b = patterns(count, 9).map((word, i) => ofLikeSize(word, a[i]!));
    const want = bitsOf(floatsOf(a).map((value, i) => value + floatsOf(b)[i]!));
    expect(firstDifference(await run("sum(a, second[i])", a, b), want)).toBeUndefined();
  });

  it("reciprocal is Math.fround(1 / a)", async () => {
    const a = patterns(count, 5);
    const want = bitsOf(floatsOf(a).map((value) => 1 / value));
    expect(firstDifference(await run("reciprocal(a)", a), want)).toBeUndefined();
  });

  it("sum rounds once where exponents are close, and cancels exactly", async () => {
    const a = patterns(count, 10);
    const b = patterns(count, 11).map((word, i) => beside(word, a[i]!));
    const want = bitsOf(floatsOf(a).map((value, i) => value + floatsOf(b)[i]!));
    expect(firstDifference(await run("sum(a, second[i])", a, b), want)).toBeUndefined();
  });

  it("from_i32 is Math.fround, with every bit as the leading one and around every tie", async () => {
    const random = patterns(count, 12);
    const ties = Array.from({ length: 32 }, (_, bit) => [-1, 0, 1].map((near) => (1 << bit) + near)).flat();
    const halves = Array.from({ length: 8 }, (_, lost) =>
      [0x1000000, 0x1000001].map((kept) => (kept << lost) | ((1 << lost) >> 1)),
    );
    const near = halves.flat().flatMap((tie) => [-1, 0, 1].flatMap((step) => [tie + step, -tie - step]));
    const a = Uint32Array.from([...random, ...random.map((word, i) => word >>> (i & 31)), ...ties, ...near]);
    const want = wordsOf(Float32Array.from(a, (word) => word | 0));
    expect(firstDifference(await run("from_i32(i32(a))", a), (i) => want[i]!)).toBeUndefined();
  });

  it("orders keys as the values are ordered, and inverts them", async () => {
    const a = patterns(count, 6).filter((word) => (word & 0x7fffffff) <= 0x7f800000);
    const keys = await run("ordered_key(a)", a);
    const sorted = [...a.keys()].sort((i, j) => keys[i]! - keys[j]!).map((i) => [floatsOf(a)[i]!, keys[i]!] as const);
    const wrong = sorted.findIndex(([value, key], i) => {
      const [before, keyBefore] = sorted[Math.max(0, i - 1)]!;
      return before > value || (before === value) !== (keyBefore === key);
    });
    expect(wrong).toBe(-1);
    const inverse = await run("from_ordered_key(ordered_key(a))", a);
    expect(firstDifference(inverse, (i) => (a[i]! === 0x80000000 ? 0 : a[i]!))).toBeUndefined();
  });
});

/** `word` with the exponent that brings a·b, a/b or b to the subnormal range, a few powers of two around its ends. */
function nearSmallest(word: number, a: number, name: string): number {
  const spread = (word >>> 3) % 30;
  const exponentOfA = (a >>> 23) & 0xff;
  const exponent =
    name === "quotient" ? exponentOfA + 124 + spread : name === "product" ? 130 - exponentOfA - spread : spread;
  return (word & 0x807fffff) | (Math.min(254, Math.max(0, exponent)) << 23);
}

/** `word` with an exponent that the mantissas of both still overlap at, or just not. */
function ofLikeSize(word: number, a: number): number {
  const exponent = ((a >>> 23) & 0xff) + ((word >>> 3) % 56) - 28;
  return (word & 0x807fffff) | (Math.min(254, Math.max(0, exponent)) << 23);
}

/** `word` with an exponent at most 26 from that of `a`, and now and then its opposite or a neighbour of that. */
function beside(word: number, a: number): number {
  if ((word & 7) === 0) return (a ^ 0x80000000) + ((word >>> 3) % 3) - 1;
  const exponent = ((a >>> 23) & 0xff) + ((word >>> 3) % 53) - 26;
  return (word & 0x807fffff) | (Math.min(254, Math.max(0, exponent)) << 23);
}

describe("fused_multiply_add by integers", () => {
  beforeEach(({ skip }) => {
    if (!device) skip(noAdapter);
  });

  /** The third operand is made in the shader and here: an operand, moved near the product's exponent, or to cancel it. */
  const cases = [
    ["of any operands", (_product: number, word: number) => word],
    ["where the product and the addend are close", (product: number, word: number) => beside(word, bitsOfOne(product))],
    ["where they cancel", (product: number, word: number) => (bitsOfOne(product) ^ 0x80000000) + (word % 3) - 1],
    ["where the addend is half a unit of the product's last place", (product: number) => tieOf(bitsOfOne(product))],
  ] as const;

  it.for(cases)("has the one rounding of core's, %s", async ([, third]) => {
    const [a, b, other] = [patterns(count / 4, 13), patterns(count / 4, 14), patterns(count / 4, 15)];
    const c = other.map((word, i) => third(floatsOf(a)[i]! * floatsOf(b)[i]!, word));
    const second = new Uint32Array([...b, ...c]);
    const want = bitsOf(floatsOf(a).map((value, i) => fusedMultiplyAdd(value, floatsOf(b)[i]!, floatsOf(c)[i]!)));
    const got = await dispatch(device!, {
      modules: modules + moduleText("fused_multiply_add"),
      first: a,
      second,
      body: `result[i] = fused_multiply_add(first[i], second[i], second[i + ${a.length}u]);`,
    });
    expect(firstDifference(got, want)).toBeUndefined();
  });
});

const bitsOfOne = (value: number): number => wordsOf(Float32Array.of(value))[0]!;

/** A power of two, 24 below the leading bit of `word`. */
const tieOf = (word: number): number => Math.max(1, ((word >>> 23) & 0xff) - 24) << 23;

describe("float16 and bfloat16 by integers", () => {
  beforeEach(({ skip }) => {
    if (!device) skip(noAdapter);
  });

  const widened = (dtype: "float16" | "bfloat16") =>
    wordsOf(
      toFloat32(
        dtype,
        Uint16Array.from({ length: 65536 }, (_, half) => half),
      ),
    );

  it.for(["float16", "bfloat16"] as const)("from_%s agrees with core on all patterns", async (dtype) => {
    const got = await run(
      `from_${dtype}(a)`,
      Uint32Array.from({ length: 65536 }, (_, half) => half),
    );
    const want = widened(dtype);
    expect(firstDifference(got, (i) => want[i]!)).toBeUndefined();
  });

  it.for(["float16", "bfloat16"] as const)("to_%s agrees with core, random and around every tie", async (dtype) => {
    const tie = dtype === "float16" ? 0x1000 : 0x8000;
    const ties = [...widened(dtype)].flatMap((word) => [-1, 0, 1].map((ulps) => word + tie + ulps));
    const a = new Uint32Array([...patterns(count, 7), ...subnormalTies(), ...ties]);
    const want = fromFloat32(dtype, floatsOf(a));
    expect(firstDifference(await run(`to_${dtype}(a)`, a), (i) => want[i]!)).toBeUndefined();
  });
});

/** Half way between neighbouring subnormal float16, with neighbours, either sign. */
function subnormalTies(): number[] {
  const middles = wordsOf(Float32Array.from({ length: 1026 }, (_, k) => (k + 0.5) * 2 ** -24));
  return [...middles].flatMap((word) => [-1, 0, 1].flatMap((ulps) => [word + ulps, (word + ulps) | 0x80000000]));
}
