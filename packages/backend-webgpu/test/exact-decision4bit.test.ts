import { type Format, getFormat } from "@halfbyte/core";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dispatch, noAdapter, openDevice } from "./exact-adapter.js";
import { adversarialBlocks, blockSize, byScaling, carriedOver, modulesOf, referenceCodes } from "./exact-blocks.js";
import { floatsOf, wordsOf } from "./exact-patterns.js";

const largest = 0x7f7fffff;
let device: GPUDevice | undefined;

beforeAll(async () => {
  device = await openDevice();
  return () => device?.destroy();
});

const run = (format: Format, body: string, values: Uint32Array) =>
  dispatch(device!, {
    modules: modulesOf(format),
    body,
    first: values,
    count: values.length / blockSize,
    words: values.length,
  });

/** The first difference, with the value and the absmax that made it. */
function firstDifference(got: Uint32Array, want: Uint8Array, values: Uint32Array): string | undefined {
  const i = got.findIndex((code, index) => code !== want[index]);
  if (i < 0) return undefined;
  const block = floatsOf(values).subarray(i - (i % blockSize), i - (i % blockSize) + blockSize);
  return `${i}: got ${got[i]}, want ${want[i]} for ${floatsOf(values)[i]} in a block of absmax ${block[0]}`;
}

describe.for(["nf4", "fp4", "af4"])("codes of %s by integers", (name) => {
  const format = getFormat(name);
  beforeEach(({ skip }) => {
    if (!device) skip(noAdapter);
  });

  it.for([
    ["thresholds carried over to the block", carriedOver],
    ["values scaled", byScaling],
  ] as const)("agree with core in a million values near the thresholds: %s", async ([, body]) => {
    const values = adversarialBlocks(format, blockSize);
    const want = await referenceCodes(format, floatsOf(values), blockSize);
    expect(firstDifference(await run(format, body(blockSize), values), want, values)).toBeUndefined();
  });

  it("agree with core where a partial block is divided", async () => {
    const count = blockSize / 2;
    const values = adversarialBlocks(format, count).subarray(0, 512 * blockSize);
    const got = await run(format, byScaling(count), values);
    for (let begin = 0; begin < values.length; begin += blockSize) {
      const block = values.slice(begin, begin + count);
      const want = await referenceCodes(format, floatsOf(block), blockSize);
      expect(firstDifference(got.subarray(begin, begin + count), want, block)).toBeUndefined();
    }
  });

  it("agree with core in blocks with NaN and Infinity, values scaled", async () => {
    const values = adversarialBlocks(format, blockSize).map((word, i) => {
      const block = Math.floor(i / blockSize);
      if (i % blockSize !== 7) return word;
      return [0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001][block % 4]!;
    });
    const want = await referenceCodes(format, floatsOf(values), blockSize);
    expect(firstDifference(await run(format, byScaling(blockSize), values), want, values)).toBeUndefined();
  });
});

describe("stored absmax by integers", () => {
  beforeEach(({ skip }) => {
    if (!device) skip(noAdapter);
  });

  it.for([true, false])("is raised to 1e-38 in a partial block alone (partial: %s)", async (isPartial) => {
    const absmax = Uint32Array.of(0, 1, 0x006ce3ed, 0x006ce3ee, 0x00800000, 0x3f800000, largest);
    const smallest = wordsOf(Float32Array.of(1e-38))[0]!;
    const got = await dispatch(device!, {
      modules: modulesOf(getFormat("nf4")),
      body: `result[i] = stored_absmax(block_scale(first[i], ${isPartial}));`,
      first: absmax,
    });
    expect([...got]).toEqual([...absmax].map((word) => (isPartial ? Math.max(word, smallest) : word)));
  });
});
