/** Optimizer steps against the reference: every rule, dtype and profile, blocks of any size, gradients that are not finite, tensors in pieces. */
import { type Backend, openBackend, type Profile, reference } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type OptimizerCase, optimizers, runStep } from "../../backend-cuda/test/optimizer-steps.js";
import { findVectors } from "../../conformance/src/golden/find.js";
import { repositoryVectors } from "../../conformance/src/golden/repository.js";
import { Session } from "../../conformance/src/session.js";
import { stateCodes, tolerance } from "../../conformance/src/tolerance.js";
import { type WebgpuOptions, webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

const noAdapter = await adapterReason();
const operations = ["optimizerUpdate32bit", "optimizerUpdate8bitBlockwise"] as const;

let gpu: Backend | undefined;
let oracle: Backend | undefined;

async function open(options: WebgpuOptions = {}): Promise<Backend> {
  const backend = await openBackend([webgpu({ operations, ...options })], { order: ["webgpu"] });
  expect(backend.report.chosen, JSON.stringify(backend.report)).toBe("webgpu");
  return backend;
}

beforeAll(async () => {
  if (noAdapter) return;
  gpu = await open();
  oracle = await openBackend([reference()], { order: ["reference"] });
});
afterAll(async () => {
  await gpu?.dispose();
  await oracle?.dispose();
});
beforeEach(({ skip }) => {
  if (noAdapter) skip(noAdapter);
});

/** The largest difference that is allowed. A 16-bit parameter may be one step of its dtype away. */
function allowance(name: string, dtype: string): (expected: number) => number {
  const { rtol, atol } = name === "param" ? tolerance.parameter : tolerance.optimizerState;
  if (name !== "param" || dtype === "float32") return (value) => rtol * Math.abs(value) + atol;
  const [step, least] = dtype === "float16" ? [2 ** -10, 2 ** -24] : [2 ** -7, 2 ** -133];
  return (value) => Math.max(step * Math.abs(value), least);
}

function firstBeyond(
  expected: Float32Array,
  found: Float32Array,
  allowed: (value: number) => number,
): string | undefined {
  const index = expected.findIndex(
    (value, i) => !Object.is(value + 0, found[i]! + 0) && !(Math.abs(value - found[i]!) <= allowed(value)),
  );
  return index < 0 ? undefined : `element ${index} is ${found[index]}, expected ${expected[index]}`;
}

function firstOtherCode(expected: Uint8Array, found: Uint8Array): string | undefined {
  const apart = expected.map((code, i) => Math.abs(code - found[i]!));
  const different = apart.filter((steps) => steps > 0).length;
  if (different <= stateCodes.share * expected.length && apart.every((steps) => steps <= stateCodes.steps))
    return undefined;
  const index = apart.findIndex((steps) => steps > 0);
  return `${different} of ${expected.length} codes differ, the first is ${found[index]} at ${index}, expected ${expected[index]}`;
}

async function expectSame(one: OptimizerCase, backend = gpu!): Promise<void> {
  const [found, expected] = [await runStep(backend, one), await runStep(oracle!, one)];
  const { param, grad, state1, absmax1, ...told } = one;
  for (const [name, values] of Object.entries(expected)) {
    const difference =
      values instanceof Uint8Array
        ? firstOtherCode(values, found[name] as Uint8Array)
        : firstBeyond(values, found[name] as Float32Array, allowance(name, one.dtype ?? "float32"));
    expect(difference, `${name} of ${JSON.stringify(told)}`).toBeUndefined();
  }
}

const dtypes = ["float32", "float16", "bfloat16"] as const;
const pairs = dtypes.flatMap((dtype) => dtypes.map((gradDtype) => ({ dtype, gradDtype })));
const profiles = ["reference", "cuda"] as const satisfies readonly Profile[];
/** Those that a kernel of their own computes, and under other names the same again. */
const everyRule = optimizers.flatMap((optimizer) => profiles.map((profile) => ({ optimizer, profile })));
const oneOfEachKernel = ["adam", "ademamix", "lion"] as const;

describe.each(everyRule)("$optimizer under profile $profile", (rule) => {
  it.for([8, 32] as const)("steps like the reference, %s-bit states", async (bits) => {
    for (const size of [1, 2, 3, 5, 255, 256, 257, 773, 2049]) await expectSame({ ...rule, bits, size });
    await expectSame({ ...rule, bits, size: 773, step: { skipZeros: true } });
    await expectSame({ ...rule, bits, size: 300, step: { step: 1, weightDecay: 0, gradScale: 1 } });
  });

  it.for([8, 32] as const)("gradients that are not finite, %s-bit states", async (bits) => {
    const grad = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i));
    [grad[3], grad[300], grad[301], grad[900]] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NaN, -Infinity];
    await expectSame({ ...rule, bits, size: grad.length, grad });
    if (bits === 8) await expectSame({ ...rule, bits, size: grad.length, grad, blockSize: 100 });
  });
});

describe.each(oneOfEachKernel)("%s", (optimizer) => {
  it.for([8, 32] as const)("takes every pair of dtypes, %s-bit states", async (bits) => {
    for (const pair of pairs) {
      await expectSame({ optimizer, ...pair, bits, size: 773 });
      if (bits === 8) await expectSame({ optimizer, ...pair, bits, size: 773, blockSize: 99 });
    }
  });

  it.for([4, 8, 64, 128, 512, 1024])("takes blocks of %i, by groups of lanes", async (blockSize) => {
    for (const profile of profiles)
      await expectSame({ optimizer, profile, bits: 8, size: 2 * blockSize + 77, blockSize });
  });

  it.for([1, 2, 3, 48, 99, 1500, 2048, 4096])("takes blocks of %i, by workgroups", async (blockSize) => {
    for (const profile of profiles)
      await expectSame({ optimizer, profile, bits: 8, size: 2 * blockSize + 77, blockSize });
  });

  it("takes nothing at all", async () => {
    for (const bits of [8, 32] as const) await expectSame({ optimizer, bits, size: 0, step: { maxUnorm: 1 } });
  });
});

it.for(everyRule)("trust ratios: $optimizer under profile $profile", async (rule) => {
  for (const size of [1, 773, 20_001])
    for (const maxUnorm of [1e-3, 1e9]) await expectSame({ ...rule, bits: 32, size, step: { maxUnorm } });
});

it("norms of gradients whose squares no float holds", async () => {
  const grad = new Float32Array(5000).fill(3e25);
  await expectSame({ optimizer: "lars", bits: 32, size: grad.length, grad, step: { maxUnorm: 0.5, weightDecay: 0 } });
});

it("maxima from tiny to huge", async () => {
  for (const scale of [0, 1e-30, 1e30, 1e38])
    for (const profile of profiles) {
      const grad = new Float32Array(700).fill(Math.min(scale, 1e18));
      const step = { weightDecay: 0 };
      await expectSame({ optimizer: "momentum", profile, bits: 8, size: grad.length, grad, scale, step });
    }
});

describe("in pieces", () => {
  let pieces: Backend | undefined;
  beforeAll(async () => {
    if (!noAdapter) pieces = await open({ pieceBytes: 65_536 });
  });
  afterAll(async () => {
    await pieces?.dispose();
  });

  it.for(oneOfEachKernel)("%s steps like the reference", async (optimizer) => {
    for (const dtype of ["float32", "bfloat16"] as const) {
      const one = { optimizer, dtype, size: 70_001 };
      await expectSame({ ...one, bits: 32, step: { maxUnorm: 1e-3 } }, pieces);
      for (const blockSize of [256, 999]) await expectSame({ ...one, bits: 8, blockSize }, pieces);
    }
  });

  it("what does not fit is refused with numbers", async () => {
    await expect(
      runStep(pieces!, { optimizer: "adam", bits: 8, size: 40_000, blockSize: 30_000 }),
    ).rejects.toMatchObject({
      code: "UNSUPPORTED_KERNEL",
      message: expect.stringMatching(/blocks of 30000 elements do not fit the 65536 bytes/),
    });
    await expect(runStep(pieces!, { optimizer: "adam", bits: 32, size: 8, profile: "cpu" })).rejects.toMatchObject({
      code: "UNSUPPORTED_KERNEL",
    });
  });
});

it("steps are the same in every run, and leave no buffer", async () => {
  const one: OptimizerCase = { optimizer: "lamb", bits: 32, size: 60_000, step: { maxUnorm: 0.01 } };
  expect(await runStep(gpu!, one)).toEqual(await runStep(gpu!, one));
  expect(gpu!.memory()).toMatchObject({ tensors: 0, bytes: 0 });
});

it("golden vectors of bitsandbytes", async () => {
  const vectors = repositoryVectors();
  const { files } = await findVectors(vectors);
  const own = files.filter(({ name }) => name.startsWith("optim"));
  expect(own.length).toBeGreaterThan(0);
  await using session = new Session(gpu!, "reference", vectors);
  for (const file of own)
    for await (const { case: name, failure } of session.casesOf(file)) expect(failure, name).toBeUndefined();
});
