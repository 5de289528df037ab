/** Optimizer kernels on the emulated device against the reference kernels, every bit: what the specification's cases leave out. */
import { type Backend, openBackend, type Profile, reference } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";
import { type OptimizerCase, optimizers, runStep } from "./optimizer-steps.js";

let cuda: Backend | undefined;
let oracle: Backend | undefined;

beforeAll(async () => {
  if (noEmulation) return;
  cuda = await openEmulated();
  oracle = await openBackend([reference()], { order: ["reference"] });
});
afterAll(async () => {
  await cuda?.dispose();
  await oracle?.dispose();
});
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

async function expectSame(one: OptimizerCase): Promise<void> {
  const { updateNorm: norm, ...found } = await runStep(cuda!, one);
  const { updateNorm, ...expected } = await runStep(oracle!, one);
  expect(found).toEqual(expected);
  // Summed in another order, in float64.
  if (norm && updateNorm) expect(Math.abs(norm[0]! - updateNorm[0]!)).toBeLessThanOrEqual(1e-6 * updateNorm[0]!);
}

const dtypes = ["float32", "float16", "bfloat16"] as const;
const pairs = dtypes.flatMap((dtype) => dtypes.map((gradDtype) => ({ dtype, gradDtype })));
const profiles = ["reference", "cuda"] as const satisfies readonly Profile[];
const everyRule = optimizers.flatMap((optimizer) => profiles.map((profile) => ({ optimizer, profile })));

describe.each(everyRule)("$optimizer under profile $profile", (rule) => {
  it.for([8, 32] as const)("every pair of dtypes, %s-bit states", async (bits) => {
    for (const pair of pairs) await expectSame({ ...rule, ...pair, bits, size: 773 });
  });

  it.for([8, 32] as const)("zero gradients skipped, %s-bit states", async (bits) => {
    await expectSame({ ...rule, bits, size: 773, step: { skipZeros: true } });
  });

  it.for([8, 32] as const)("sizes at the end of vectors, blocks and tiles, %s-bit states", async (bits) => {
    for (const size of [1, 7, 8, 9, 255, 256, 257, 2047, 2048, 2049, 5000]) await expectSame({ ...rule, bits, size });
  });

  it.for([8, 32] as const)("first step, without decay, %s-bit states", async (bits) => {
    await expectSame({ ...rule, bits, size: 300, step: { step: 1, weightDecay: 0, gradScale: 1 } });
  });

  it("gradients that are not finite", async () => {
    const grad = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i));
    [grad[3], grad[300], grad[301], grad[900]] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NaN, -Infinity];
    for (const bits of [8, 32] as const) await expectSame({ ...rule, bits, size: grad.length, grad });
    await expectSame({ ...rule, bits: 8, size: grad.length, grad, blockSize: 100 });
  });
});

describe.each(everyRule)("8-bit states, $optimizer under profile $profile", (rule) => {
  it.for([8, 16, 64, 512, 2048, 4096])("in blocks of %i, by groups of threads", async (blockSize) => {
    await expectSame({ ...rule, bits: 8, size: 2 * blockSize + 77, blockSize });
  });

  it.for([1, 4, 48, 100, 1000, 1500, 8192])("in blocks of %i, by thread blocks", async (blockSize) => {
    await expectSame({ ...rule, bits: 8, size: 2 * blockSize + 77, blockSize });
  });

  it("with tiny and huge maxima", async () => {
    for (const scale of [0, 1e-44, 1e-39, 1e-30, 1e30, 3e37]) {
      const grad = new Float32Array(700).fill(Math.min(scale, 1e18));
      await expectSame({ ...rule, bits: 8, size: grad.length, grad, scale, step: { weightDecay: 0 } });
    }
  });
});

describe("trust ratios", () => {
  it.for(everyRule)("$optimizer under profile $profile", async (rule) => {
    for (const size of [1, 773, 9000])
      for (const maxUnorm of [1e-3, 1e9]) await expectSame({ ...rule, bits: 32, size, step: { maxUnorm } });
  });

  it("are the same in every run", async () => {
    const one: OptimizerCase = { optimizer: "lamb", bits: 32, size: 60_000, step: { maxUnorm: 0.01 } };
    expect(await runStep(cuda!, one)).toEqual(await runStep(cuda!, one));
  });
});
