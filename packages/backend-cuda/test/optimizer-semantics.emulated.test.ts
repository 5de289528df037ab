/** What an optimizer step of bitsandbytes means, rule by rule, on the emulated device: numbers that a reader can check by hand. */
import { type Backend, createDynamicMap, type Optimizer, type Profile } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";
import { type OptimizerCase, type Outcome, runStep } from "./optimizer-steps.js";

let cuda: Backend | undefined;

beforeAll(async () => {
  if (!noEmulation) cuda = await openEmulated();
});
afterAll(async () => cuda?.dispose());
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

const run = (one: OptimizerCase): Promise<Outcome> => runStep(cuda!, one);
const fr = Math.fround;

/** One element of a 32-bit step from zero states. */
async function one32(
  optimizer: Optimizer,
  p: number,
  g: number,
  step: OptimizerCase["step"],
  profile: Profile = "reference",
): Promise<Outcome> {
  const [param, grad] = [Float32Array.of(p), Float32Array.of(g)];
  const state1 = new Float32Array(optimizer === "ademamix" ? 2 : 1);
  return run({
    optimizer,
    bits: 32,
    size: 1,
    param,
    grad,
    state1,
    scale: 0,
    profile,
    step: { gradScale: 1, ...step },
  });
}

describe("decoupled decay", () => {
  const step = { step: 1, lr: 0.5, weightDecay: 0.5, beta1: 0.5, beta2: 0.75, eps: 0, alpha: 0 };

  it.for(["adam", "ademamix"] as const)("%s: before the update, and after it under profile cuda", async (optimizer) => {
    // The direction of a first step is the gradient's sign: 4 · 0.75 − 0.5, or (4 − 0.5) · 0.75.
    expect((await one32(optimizer, 4, 3, step))["param"]![0]).toBeCloseTo(2.5, 5);
    expect((await one32(optimizer, 4, 3, step, "cuda"))["param"]![0]).toBeCloseTo(2.625, 5);
  });

  it("Lion: before the update under both profiles", async () => {
    for (const profile of ["reference", "cuda"] as const)
      expect((await one32("lion", 4, 3, step, profile))["param"]![0]).toBe(2.5);
  });
});

describe("coupled decay", () => {
  const step = { step: 1, lr: 0.5, weightDecay: 0.5, beta1: 0.75, eps: 0 };

  it("momentum, RMSprop, Adagrad: the gradient grows by wd · p", async () => {
    expect((await one32("momentum", 4, 3, step))["state1"]![0]).toBe(5);
    expect((await one32("rmsprop", 4, 3, step))["state1"]![0]).toBe(0.25 * 25);
    expect((await one32("adagrad", 4, 3, step))["state1"]![0]).toBe(25);
  });

  it.for(["rmsprop", "adagrad"] as const)("8-bit %s moves by the same gradient that its state took", async (rule) => {
    const one: OptimizerCase = {
      optimizer: rule,
      bits: 8,
      size: 1,
      param: Float32Array.of(4),
      grad: Float32Array.of(3),
      state1: Uint8Array.of(0),
      absmax1: Float32Array.of(0),
      step: { ...step, beta1: 0, gradScale: 1 },
    };
    // g / √g² = 1, whatever g is; upstream divides the gradient without decay by a state with it: 3/5.
    expect((await run(one))["param"]![0]).toBe(3.5);
  });
});

describe("the first step", () => {
  it("of momentum takes the gradient itself, later ones blend", async () => {
    const one: OptimizerCase = { optimizer: "momentum", bits: 32, size: 1, state1: Float32Array.of(8) };
    const [grad, usual] = [Float32Array.of(3), { gradScale: 1, weightDecay: 0, beta1: 0.5 }];
    expect((await run({ ...one, grad, step: { ...usual, step: 1 } }))["state1"]![0]).toBe(3);
    expect((await run({ ...one, grad, step: { ...usual, step: 2 } }))["state1"]![0]).toBe(7);
  });

  it("of 8-bit states decodes bytes of 0 to 0, because absmax is 0", async () => {
    const size = 256;
    const grad = Float32Array.from({ length: size }, (_, i) => (i - 128) / 128);
    const state1 = new Uint8Array(size);
    const absmax1 = new Float32Array(1);
    const one: OptimizerCase = { optimizer: "momentum", bits: 8, size, grad, state1, absmax1 };
    const { absmax1: absmax } = await run({ ...one, step: { step: 2, gradScale: 1, weightDecay: 0 } });
    expect(absmax![0]).toBe(1);
  });
});

describe("the gradient", () => {
  it("is scaled before anything else", async () => {
    const { state1 } = await one32("momentum", 0, 3, { step: 1, weightDecay: 0, gradScale: 0.25 });
    expect(state1![0]).toBe(0.75);
  });

  it("keeps parameter, codes and absmax of a block where all of it is 0 and zeros are skipped", async () => {
    const size = 512;
    const grad = Float32Array.from({ length: size }, (_, i) => (i < 256 ? 0 : 1));
    const state1 = Uint8Array.from({ length: size }, (_, i) => i % 256);
    const given = { param: new Float32Array(size).fill(2), state1, absmax1: Float32Array.of(3, 3) };
    const after = await run({ optimizer: "lion", bits: 8, size, grad, ...given, step: { skipZeros: true } });
    expect(after["state1"]!.subarray(0, 256)).toEqual(state1.subarray(0, 256));
    expect(after["param"]!.subarray(0, 256)).toEqual(given.param.subarray(0, 256));
    expect(after["absmax1"]![0]).toBe(3);
    expect(after["param"]![256]).not.toBe(2);
  });

  it("that is not finite clears two-state 8-bit elements and leaves the parameter alone under profile cuda", async () => {
    const size = 256;
    const grad = new Float32Array(size).fill(1);
    [grad[1], grad[2]] = [Number.NaN, Number.POSITIVE_INFINITY];
    const param = new Float32Array(size).fill(2);
    const after = await run({
      optimizer: "adam",
      bits: 8,
      size,
      grad,
      param,
      profile: "cuda",
      step: { weightDecay: 0 },
    });
    expect([after["param"]![1], after["param"]![2]]).toEqual([2, 2]);
    expect(after["param"]![3]).toBeLessThan(2);
    const code = createDynamicMap({ signed: false });
    expect([1, 2].map((i) => code[after["state2"]![i]!])).toEqual([0, 0]);
    expect(after["absmax2"]![0]).toBeGreaterThan(0);
  });

  it("that is not finite reaches the state under profile reference", async () => {
    const size = 256;
    const grad = new Float32Array(size).fill(1);
    grad[1] = Number.NaN;
    const after = await run({ optimizer: "adam", bits: 8, size, grad });
    expect(after["absmax1"]![0]).toBeNaN();
  });
});

describe("8-bit codes", () => {
  /** Two states of a block whose largest is 1: tiny ones lie nearest to the code of 0. */
  const codesOf = async (profile: Profile) => {
    const size = 256;
    const grad = new Float32Array(size);
    [grad[0], grad[1], grad[2]] = [1, 1e-12, -1e-12];
    const given = { grad, state1: new Uint8Array(size), absmax1: new Float32Array(1) };
    const step = { step: 1, gradScale: 1, weightDecay: 0 };
    const { state1 } = await run({ optimizer: "momentum", bits: 8, size, ...given, profile, step });
    return [...state1!.subarray(0, 4)];
  };

  it("are the nearest ones", async () => expect(await codesOf("reference")).toEqual([255, 127, 127, 127]));
  it("keep the sign of their state under profile cuda", async () =>
    expect(await codesOf("cuda")).toEqual([255, 127, 126, 127]));

  it("of a block of zeros are those of 0, and bytes of 0 under profile cuda", async () => {
    const size = 256;
    const zeros = { grad: new Float32Array(size), state1: new Uint8Array(size), absmax1: new Float32Array(1) };
    const codes = async (profile: Profile) =>
      new Set(
        (await run({ optimizer: "momentum", bits: 8, size, ...zeros, profile, step: { weightDecay: 0 } }))["state1"],
      );
    expect(await codes("reference")).toEqual(new Set([127]));
    expect(await codes("cuda")).toEqual(new Set([0]));
  });
});

describe("trust ratios", () => {
  const step = { step: 1, lr: 1, weightDecay: 0, beta1: 0, beta2: 0, eps: 0, maxUnorm: 0.5 };

  it("bound the norm of LAMB's direction by maxUnorm times the parameter's", async () => {
    // Direction 1, parameter 0.25: the step is 0.125.
    const { param, updateNorm } = await one32("lamb", 0.25, 3, step);
    expect(updateNorm![0]).toBeCloseTo(1, 6);
    expect(param![0]).toBeCloseTo(0.125, 6);
  });

  it("add eps to the bound of rules with one state", async () => {
    const { param } = await one32("lars", 0.25, 1, { ...step, eps: 0.25 });
    expect(param![0]).toBeCloseTo(0.25 - 0.375, 6);
  });

  it("apply to Lion, never to AdEMAMix and Adagrad", async () => {
    expect((await one32("lion", 0.25, 3, step))["param"]![0]).toBeCloseTo(0.125, 6);
    expect((await one32("adagrad", 0.25, 3, step))["param"]![0]).toBeCloseTo(-0.75, 6);
    expect((await one32("ademamix", 0.25, 3, { ...step, alpha: 0 }))["param"]![0]).toBeCloseTo(-0.75, 6);
  });

  it("look at the bias-corrected direction of Adam under profile cuda", async () => {
    const late = { ...step, step: 1, beta1: 0.5, beta2: 0.75 };
    // m = 1.5, √v = 1.5: 1; corrected by c2 / c1 = 0.5 / 0.5.
    expect((await one32("adam", 0.25, 3, late))["updateNorm"]![0]).toBeCloseTo(1, 6);
    const corrected = { ...late, beta2: 1 - 1 / 16 };
    expect((await one32("adam", 0.25, 3, corrected))["updateNorm"]![0]).toBeCloseTo(2, 6);
    expect((await one32("adam", 0.25, 3, corrected, "cuda"))["updateNorm"]![0]).toBeCloseTo(1, 6);
  });

  it("are not for 8-bit states", async () => {
    const one: OptimizerCase = { optimizer: "lamb", bits: 8, size: 300 };
    const [bound, free] = [await run({ ...one, step: { maxUnorm: 1e-6 } }), await run(one)];
    expect(bound).toEqual(free);
  });
});

describe("AdEMAMix", () => {
  it("keeps its slow moment in a second row that shares no absmax with the first, whatever the size", async () => {
    const size = 300;
    const given = { state1: new Uint8Array(2 * size), absmax1: new Float32Array(4) };
    const grad = Float32Array.from({ length: size }, (_, i) => (i < 256 ? 1 : 2));
    const step = { step: 1, gradScale: 1, weightDecay: 0, beta1: 0.5, beta3: 0.75 };
    const { absmax1 } = await run({ optimizer: "ademamix", bits: 8, size, ...given, grad, step });
    expect([...absmax1!]).toEqual([0.5, 1, 0.25, 0.5]);
  });

  it("blends with beta3 and weighs by alpha", async () => {
    const step = { step: 1, lr: 1, weightDecay: 0, beta1: 0.5, beta2: 0.75, beta3: 0.75, alpha: 2, eps: 0 };
    const { param, state1 } = await one32("ademamix", 0, 1, step);
    expect([...state1!]).toEqual([0.5, 0.25]);
    // (0.5 / 0.5 + 2 · 0.25) / (0.5 / 0.5)
    expect(param![0]).toBe(fr(-1.5));
  });
});
