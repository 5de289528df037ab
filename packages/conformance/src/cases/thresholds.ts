/**
 * Decisions at their edges: values three ulps around every threshold of a table, for many block maxima, against a second
 * implementation of the rules (contract §4, profile `reference`) written as plainly as they are stated.
 */
import { createDynamicMap, createRandom, getFormat } from "@halfbyte/core";
import { describe, test } from "vitest";
import { expectValues, ownAll, type Suite, scoped } from "./suite.js";

const fr = Math.fround;
/** Upstream's floor under a block maximum. */
const smallest = fr(1e-38);

interface Rule {
  readonly code: Float32Array;
  readonly blockSize: number;
  /** 4-bit: a partial last block divides, and stores its maximum raised to 1e-38. */
  readonly dividesTail: boolean;
}

interface Coded {
  readonly codes: Uint8Array;
  readonly absmax: Float32Array;
}

/** The rules, block by block. */
export function modelOf(x: Float32Array, rule: Rule): Coded {
  const decide = decisionOf(rule.code);
  const codes = new Uint8Array(x.length);
  const absmax: number[] = [];
  for (let begin = 0; begin < x.length; begin += rule.blockSize) {
    const block = x.subarray(begin, begin + rule.blockSize);
    const largest = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const raised = Math.max(largest, smallest);
    const isTail = block.length < rule.blockSize && rule.dividesTail;
    const scaled = (value: number) => (isTail ? fr(value / raised) : fr(value * fr(1 / raised)));
    block.forEach((value, i) => {
      codes[begin + i] = decide(Math.max(-1, Math.min(1, scaled(value))));
    });
    absmax.push(isTail ? raised : largest);
  }
  return { codes, absmax: Float32Array.from(absmax) };
}

/** The code of a scaled value: the number of midpoints strictly below it, in value order. */
function decisionOf(code: Float32Array): (scaled: number) => number {
  const order = [...code.keys()].sort((a, b) => code[a]! - code[b]! || a - b);
  const bounds = boundsOf(code);
  return (scaled) => order[bounds.filter((bound) => bound < scaled).length]!;
}

/** f32 midpoints of neighbouring values. */
export function boundsOf(code: Float32Array): number[] {
  const sorted = [...code].sort((a, b) => a - b);
  return sorted.slice(1).map((value, i) => fr(fr(value + sorted[i]!) / 2));
}

/** Two codes to a byte, the first in the high nibble; an odd count ends in the code of 0. */
export function packed(codes: Uint8Array, zero: number): Uint8Array {
  return Uint8Array.from(
    { length: Math.ceil(codes.length / 2) },
    (_, i) => codes[2 * i]! * 16 + (codes[2 * i + 1] ?? zero),
  );
}

/** The neighbour `steps` away among f32 numbers. */
export function stepped(value: number, steps: number): number {
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = value;
  const rank = bits[0]! < 0 ? -(bits[0]! & 0x7fffffff) : bits[0]!;
  const next = rank + steps;
  bits[0] = next < 0 ? -next | 0x80000000 : next;
  return float[0]!;
}

/** 64 block maxima: the ends of the range and of its special cases, and magnitudes in between. */
export function blockMaxima(): number[] {
  const ends = [2 ** -149, 1e-39, 1e-38, 2 ** -126, 8.6e37, 3.4e38].map(fr);
  const random = createRandom(64);
  const between = Array.from({ length: 64 - ends.length }, (_, i) => fr(2 ** (4 * i - 116) * (1 + random.uniform())));
  return [...ends, ...between];
}

/** Values around every threshold for one maximum, none larger than it. */
export function around(bounds: readonly number[], absmax: number): number[] {
  const near = bounds.flatMap((bound) => [-3, -2, -1, 0, 1, 2, 3].map((steps) => stepped(fr(bound * absmax), steps)));
  return near.filter((value) => Math.abs(value) <= absmax);
}

/** Blocks that start with their maximum, its sign alternating, and end in zeros. */
function blocksOf(code: Float32Array, blockSize: number, maxima: readonly number[]): Float32Array {
  const bounds = boundsOf(code);
  const blocks = maxima.flatMap((absmax, i) =>
    chunks(around(bounds, absmax), blockSize - 1).map((part) => [i % 2 ? -absmax : absmax, ...part]),
  );
  return Float32Array.from(
    blocks.flatMap((block) => [...block, ...new Array<number>(blockSize - block.length).fill(0)]),
  );
}

function chunks(values: readonly number[], size: number): number[][] {
  const count = Math.max(1, Math.ceil(values.length / size));
  return Array.from({ length: count }, (_, i) => values.slice(i * size, (i + 1) * size));
}

const maps = {
  signed: createDynamicMap(),
  unsigned: createDynamicMap({ signed: false }),
};

export function thresholdCases(suite: Suite): void {
  describe("thresholds ± 3 ulp for 64 block maxima", () => {
    for (const format of ["nf4", "fp4", "af4"]) {
      test(`quantize4bit, ${format}: full blocks`, () => check4bit(suite, format, 0));
      test(`quantize4bit, ${format}: partial last blocks`, () => check4bitTails(suite, format));
    }
    for (const [name, code] of Object.entries(maps)) {
      test(`quantizeBlockwise, ${name} dynamic map: full blocks`, () => checkBlockwise(suite, code, 256, 0));
      test(`quantizeBlockwise, ${name} dynamic map: a partial last block`, () => checkBlockwise(suite, code, 4096, 7));
    }
  });
}

/** `cut` elements are missing from the last block. */
async function check4bit(suite: Suite, format: string, cut: number): Promise<void> {
  const { code } = getFormat(format);
  const x = blocksOf(code, 64, blockMaxima());
  await expect4bit(suite, format, x.subarray(0, x.length - cut));
}

/** Every maximum in a block of its own that is not full: there the rule divides. */
async function check4bitTails(suite: Suite, format: string): Promise<void> {
  const { code } = getFormat(format);
  for (const absmax of blockMaxima()) {
    const near = around(boundsOf(code), absmax);
    for (const part of chunks(near, 62)) await expect4bit(suite, format, Float32Array.of(absmax, ...part));
  }
}

async function expect4bit({ backend }: Suite, format: string, x: Float32Array): Promise<void> {
  const { code } = getFormat(format);
  const expected = modelOf(x, { code, blockSize: 64, dividesTail: true });
  await scoped(async (own) => {
    const tensor = own(backend.tensor("float32", [x.length], x));
    const { codes, absmax } = ownAll(own, backend.kernels.quantize4bit({ x: tensor, format, blockSize: 64 }));
    await expectValues(absmax, expected.absmax);
    await expectValues(codes, packed(expected.codes, decisionOf(code)(0)));
  });
}

async function checkBlockwise({ backend }: Suite, code: Float32Array, blockSize: number, cut: number): Promise<void> {
  const blocks = blocksOf(code, blockSize, blockMaxima());
  const x = blocks.subarray(0, blocks.length - cut);
  const expected = modelOf(x, { code, blockSize, dividesTail: false });
  await scoped(async (own) => {
    const args = {
      x: own(backend.tensor("float32", [x.length], x)),
      code: own(backend.tensor("float32", [256], code)),
    };
    const { codes, absmax } = ownAll(own, backend.kernels.quantizeBlockwise({ ...args, blockSize }));
    await expectValues(absmax, expected.absmax);
    await expectValues(codes, expected.codes);
  });
}
