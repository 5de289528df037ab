/** Optimizer steps against the float64 formulas, and upstream's defects that must not come back. */
import {
  ademamixSchedule,
  createDynamicMap,
  type Float,
  fromFloat32,
  type Optimizer,
  type Profile,
  referenceBackend,
  type Step,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { decide8bit } from "./exact-codes.js";
import { advance, directionOf, hasSecondState, optimizers, type State } from "./optimizer-rules.js";
import { bitsOf, firstDifference, floats, normals } from "./samples.js";

const backend = referenceBackend();
const { kernels } = backend;

const defaults: Step = {
  step: 1,
  lr: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  beta3: 0.9999,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.02,
  gradScale: 1,
  maxUnorm: 0,
  skipZeros: false,
};

const rowsOf = (optimizer: Optimizer): number => (optimizer === "ademamix" ? 2 : 1);

interface Setup {
  readonly optimizer: Optimizer;
  readonly size?: number;
  readonly dtype?: Float;
  readonly profile?: Profile;
}

/** Tensors of a 32-bit run, read back after every step. */
class Run32 {
  readonly size: number;
  readonly dtype: Float;
  readonly param;
  readonly state1;
  readonly state2;

  constructor(readonly setup: Setup) {
    this.size = setup.size ?? 300;
    this.dtype = setup.dtype ?? "float32";
    this.param = backend.tensor(this.dtype, [this.size], fromFloat32(this.dtype, normals(this.size, 61)));
    this.state1 = backend.zeros("float32", [rowsOf(setup.optimizer) * this.size]);
    this.state2 = hasSecondState(setup.optimizer) ? backend.zeros("float32", [this.size]) : undefined;
  }

  /** Runs a step; returns the norm of the update. */
  async step(grad: Float32Array, step: Step): Promise<number> {
    const { optimizer, profile = "reference" } = this.setup;
    using gradient = backend.tensor(this.dtype, [this.size], fromFloat32(this.dtype, grad));
    const second = this.state2 ? { state2: this.state2 } : {};
    const { param, state1 } = this;
    const args = { optimizer, param, grad: gradient, state1, ...second, step, profile };
    using norm = kernels.optimizerUpdate32bit(args).updateNorm;
    return (await norm.read())[0]!;
  }

  async states(): Promise<State[]> {
    const [p, s1] = [toFloat32(this.dtype, await this.param.read()), await this.state1.read()];
    const s2 = await this.state2?.read();
    return Array.from(p, (value, i) => ({ p: value, s1: s1[i]!, slow: s1[this.size + i] ?? 0, s2: s2?.[i] ?? 0 }));
  }
}

const gradient = (size: number, step: number): Float32Array => normals(size, 70 + step, 0.3);

/** Relative plus absolute distance of every field; undefined when all are close. */
function firstFar(found: readonly State[], expected: readonly State[], rtol = 1e-5, atol = 1e-7) {
  for (const [i, wanted] of expected.entries()) {
    for (const field of ["p", "s1", "slow", "s2"] as const) {
      const distance = Math.abs(found[i]![field] - wanted[field]);
      if (!(distance <= rtol * Math.abs(wanted[field]) + (field === "p" ? 1e-6 : atol)))
        return { i, field, found: found[i]![field], expected: wanted[field] };
    }
  }
  return undefined;
}

const decaysAfter = (optimizer: Optimizer, profile: Profile): boolean => profile === "cuda" && optimizer !== "lion";

describe.each(optimizers)("%s, 32 bit", (optimizer) => {
  test.each(["reference", "cpu", "cuda"] as const)(
    "six steps with weight decay follow the formula, %s",
    async (profile) => {
      const run = new Run32({ optimizer, profile });
      let expected = await run.states();
      for (let t = 1; t <= 6; t++) {
        const step = { ...defaults, step: t, lr: 1e-2 };
        const grad = gradient(run.size, t);
        const norm = await run.step(grad, step);
        const options = { decayAfter: decaysAfter(optimizer, profile) };
        expected = expected.map((state, i) => advance(optimizer, state, grad[i]!, step, options));
        expect(firstFar(await run.states(), expected), `step ${t}`).toBeUndefined();
        expect(norm).toBe(0);
      }
    },
  );

  test("gradScale multiplies the gradient", async () => {
    const [scaled, plain] = [new Run32({ optimizer }), new Run32({ optimizer })];
    for (let t = 1; t <= 3; t++) {
      const grad = gradient(scaled.size, t);
      await scaled.step(grad, { ...defaults, step: t, gradScale: 0.25 });
      await plain.step(
        grad.map((value) => value * 0.25),
        { ...defaults, step: t },
      );
    }
    expect(await scaled.states()).toEqual(await plain.states());
  });

  test("skipZeros leaves elements with a zero gradient alone, decay included", async () => {
    const run = new Run32({ optimizer });
    await run.step(gradient(run.size, 1), defaults);
    const before = await run.states();
    const grad = gradient(run.size, 2).map((value, i) => (i % 3 === 0 ? 0 : value));
    const step = { ...defaults, step: 2, skipZeros: true };
    await run.step(grad, step);
    const expected = before.map((state, i) => (i % 3 === 0 ? state : advance(optimizer, state, grad[i]!, step)));
    const after = await run.states();
    expect(firstFar(after, expected)).toBeUndefined();
    expect(after.filter((_, i) => i % 3 === 0)).toEqual(before.filter((_, i) => i % 3 === 0));
  });

  test.each(["bfloat16", "float16"] as const)("%s parameters are the f32 result rounded once", async (dtype) => {
    const run = new Run32({ optimizer, dtype });
    const before = await run.states();
    const grad = toFloat32(dtype, fromFloat32(dtype, gradient(run.size, 1)));
    await run.step(grad, { ...defaults, lr: 0.05 });
    const wide = before.map((state, i) => advance(optimizer, state, grad[i]!, { ...defaults, lr: 0.05 }).p);
    const rounded = fromFloat32(dtype, Float32Array.from(wide)) as Uint16Array;
    const found = (await run.param.read()) as Uint16Array;
    // The f32 result may be an ulp off; where that straddles a rounding boundary the result moves by one step.
    const steps = Array.from(found, (bits, i) => Math.abs(bits - rounded[i]!));
    expect(Math.max(...steps)).toBeLessThanOrEqual(1);
    expect(steps.filter((step) => step > 0).length).toBeLessThan(3);
  });
});

const norm = (values: readonly number[]): number => Math.hypot(...values);

describe("trust ratio", () => {
  const cases = optimizers.filter((optimizer) => optimizer !== "ademamix" && optimizer !== "adagrad");

  /** The direction whose norm is compared: without the first moment's correction for two states, except on CUDA. */
  function normed(optimizer: Optimizer, states: readonly State[], grad: Float32Array, step: Step, profile: Profile) {
    const correction = hasSecondState(optimizer) && profile !== "cuda" ? correctionOf(step) : 1;
    return norm(states.map((state, i) => directionOf(optimizer, state, grad[i]!, step) * correction));
  }

  /** m/(√v + eps·c2) over m̂/(√v̂ + eps). */
  const correctionOf = ({ beta1, beta2, step }: Step): number => (1 - beta1 ** step) / Math.sqrt(1 - beta2 ** step);

  test.each(
    cases.flatMap((optimizer) => (["reference", "cuda"] as const).map((profile) => [optimizer, profile] as const)),
  )("%s under %s shrinks an update that is too long, Lion's too", async (optimizer, profile) => {
    const run = new Run32({ optimizer, profile });
    for (let t = 1; t <= 3; t++) {
      const step = { ...defaults, step: t, maxUnorm: 0.02 };
      const [before, grad] = [await run.states(), gradient(run.size, t)];
      const update = normed(optimizer, before, grad, step, profile);
      expect(await run.step(grad, step)).toBeCloseTo(update, 4);
      const bound = 0.02 * norm(before.map(({ p }) => p)) + (hasSecondState(optimizer) ? 0 : step.eps);
      const options = { trust: Math.min(1, bound / update), decayAfter: decaysAfter(optimizer, profile) };
      expect(options.trust).toBeLessThan(1);
      const expected = before.map((state, i) => advance(optimizer, state, grad[i]!, step, options));
      expect(firstFar(await run.states(), expected)).toBeUndefined();
    }
  });

  test.each(cases)("%s: an update that is short enough is not touched", async (optimizer) => {
    const [limited, free] = [new Run32({ optimizer }), new Run32({ optimizer })];
    await limited.step(gradient(300, 1), { ...defaults, maxUnorm: 1e6 });
    await free.step(gradient(300, 1), defaults);
    expect(await limited.states()).toEqual(await free.states());
  });

  test.each([
    ["ademamix", "reference"],
    ["adagrad", "reference"],
    ["lion", "cpu"],
  ] as const)("%s under %s has none, as upstream", async (optimizer, profile) => {
    const [limited, free] = [new Run32({ optimizer, profile }), new Run32({ optimizer, profile })];
    await limited.step(gradient(300, 1), { ...defaults, maxUnorm: 0.02 });
    await free.step(gradient(300, 1), defaults);
    expect(await limited.states()).toEqual(await free.states());
  });
});

const blockSize = 256;
const signedMap = createDynamicMap();
const unsignedMap = createDynamicMap({ signed: false });

interface SecondState {
  readonly state2: Tensor<"uint8">;
  readonly absmax2: Tensor<"float32">;
  readonly code2: Tensor<"float32">;
}

/** Tensors of an 8-bit run; states start as bytes of zero with scales of zero, as upstream's do. */
class Run8 {
  readonly size: number;
  readonly dtype: Float;
  readonly blocks: number;
  readonly tensors;
  readonly second: SecondState | undefined;

  constructor(readonly setup: Setup) {
    this.size = setup.size ?? 700;
    this.dtype = setup.dtype ?? "float32";
    this.blocks = Math.ceil(this.size / blockSize);
    const rows = rowsOf(setup.optimizer);
    this.tensors = {
      param: backend.tensor(this.dtype, [this.size], fromFloat32(this.dtype, normals(this.size, 62))),
      state1: backend.zeros("uint8", [rows * this.size]),
      absmax1: backend.zeros("float32", [rows * this.blocks]),
      code1: backend.tensor("float32", [256], signedMap),
    };
    this.second = hasSecondState(setup.optimizer) ? this.#second() : undefined;
  }

  #second(): SecondState {
    return {
      state2: backend.zeros("uint8", [this.size]),
      absmax2: backend.zeros("float32", [this.blocks]),
      code2: backend.tensor("float32", [256], unsignedMap),
    };
  }

  async step(grad: Float32Array, step: Step): Promise<void> {
    const { optimizer, profile = "reference" } = this.setup;
    using gradient = backend.tensor(this.dtype, [this.size], fromFloat32(this.dtype, grad));
    kernels.optimizerUpdate8bitBlockwise({
      optimizer,
      ...this.tensors,
      ...this.second,
      grad: gradient,
      blockSize,
      step,
      profile,
    });
    await backend.synchronize();
  }

  /** Bytes and scales as they are. */
  async raw() {
    const { state1, absmax1, param } = this.tensors;
    const { state2, absmax2 } = this.second ?? {};
    return {
      param: await param.read(),
      state1: await state1.read(),
      absmax1: await absmax1.read(),
      state2: await state2?.read(),
      absmax2: await absmax2?.read(),
    };
  }

  /** Decoded states. */
  async states(): Promise<State[]> {
    const { param, state1, absmax1, state2, absmax2 } = await this.raw();
    const block = (i: number) => Math.floor(i / blockSize);
    return Array.from(toFloat32(this.dtype, param), (p, i) => ({
      p,
      s1: signedMap[state1[i]!]! * absmax1[block(i)]!,
      slow:
        rowsOf(this.setup.optimizer) === 2 ? signedMap[state1[this.size + i]!]! * absmax1[this.blocks + block(i)]! : 0,
      s2: state2 ? unsignedMap[state2[i]!]! * absmax2![block(i)]! : 0,
    }));
  }
}

/** What a row of states should be stored as: scales, and codes with the two neighbours a rounding error could choose. */
function expectStored(values: readonly number[], codes: Uint8Array, absmax: Float32Array, map: Float32Array): void {
  const decide = decide8bit(map, "reference");
  const code = (scaled: number) => decide(bitsOf(Float32Array.of(Math.max(-1, Math.min(1, scaled))))[0]!);
  for (let begin = 0, block = 0; begin < values.length; begin += blockSize, block++) {
    const part = values.slice(begin, begin + blockSize);
    const largest = Math.max(...part.map(Math.abs));
    expect(Math.abs(absmax[block]! - largest)).toBeLessThanOrEqual(1e-6 * largest);
    const off = part.filter((value, i) => {
      const scaled = largest === 0 ? 0 : value / largest;
      const near = [scaled, scaled * (1 + 2e-6), scaled * (1 - 2e-6)].map(code);
      return codes[begin + i]! < Math.min(...near) || codes[begin + i]! > Math.max(...near);
    });
    expect(off).toEqual([]);
  }
}

describe.each(optimizers)("%s, 8 bit", (optimizer) => {
  // 700 elements: neither AdEMAMix's rows nor the last block are a multiple of 256.
  test.each(["reference", "cpu", "cuda"] as const)(
    "every step follows the formula from the decoded states, %s",
    async (profile) => {
      const run = new Run8({ optimizer, profile });
      for (let t = 1; t <= 4; t++) {
        const step = { ...defaults, step: t, lr: 1e-2 };
        const [before, grad] = [await run.states(), gradient(run.size, t)];
        await run.step(grad, step);
        const options = { decayAfter: decaysAfter(optimizer, profile) };
        const expected = before.map((state, i) => advance(optimizer, state, grad[i]!, step, options));
        const params = toFloat32("float32", (await run.raw()).param);
        const far = [...params].filter((p, i) => Math.abs(p - expected[i]!.p) > 1e-5 * Math.abs(expected[i]!.p) + 1e-6);
        expect(far).toEqual([]);
        if (profile === "reference") await expectStates(run, expected);
      }
    },
  );

  async function expectStates(run: Run8, expected: readonly State[]): Promise<void> {
    const { state1, absmax1, state2, absmax2 } = await run.raw();
    const { size, blocks } = run;
    expectStored(
      expected.map(({ s1 }) => s1),
      state1.subarray(0, size),
      absmax1.subarray(0, blocks),
      signedMap,
    );
    if (optimizer === "ademamix")
      expectStored(
        expected.map(({ slow }) => slow),
        state1.subarray(size),
        absmax1.subarray(blocks),
        signedMap,
      );
    if (state2)
      expectStored(
        expected.map(({ s2 }) => s2),
        state2,
        absmax2!,
        unsignedMap,
      );
  }

  test("maxUnorm is ignored, as upstream", async () => {
    const [limited, free] = [new Run8({ optimizer }), new Run8({ optimizer })];
    await limited.step(gradient(700, 1), { ...defaults, maxUnorm: 0.001 });
    await free.step(gradient(700, 1), defaults);
    expect(await limited.raw()).toEqual(await free.raw());
  });

  test("a state that is zero stays zero under reference", async () => {
    const run = new Run8({ optimizer });
    const grad = gradient(run.size, 1).map((value, i) => (i % 5 === 0 ? 0 : value));
    for (let t = 1; t <= 3; t++) await run.step(grad, { ...defaults, step: t, weightDecay: 0 });
    const zero = (await run.states()).filter((_, i) => i % 5 === 0);
    expect(zero.every(({ s1, slow, s2 }) => s1 === 0 && slow === 0 && s2 === 0)).toBe(true);
  });

  test("skipZeros keeps a block without gradient byte for byte, and every skipped parameter", async () => {
    const run = new Run8({ optimizer });
    await run.step(gradient(run.size, 1), defaults);
    const before = await run.raw();
    const grad = gradient(run.size, 2).map((value, i) => (i < 256 || i % 2 === 0 ? 0 : value));
    for (let t = 2; t <= 4; t++) await run.step(grad, { ...defaults, step: t, skipZeros: true });
    const after = await run.raw();
    expect(after.state1.subarray(0, 256)).toEqual(before.state1.subarray(0, 256));
    expect(after.absmax1[0]).toBe(before.absmax1[0]);
    const skipped = (data: typeof after.param) => [...data].filter((_, i) => grad[i] === 0);
    expect(skipped(after.param)).toEqual(skipped(before.param));
    expect(after.state1.subarray(256)).not.toEqual(before.state1.subarray(256));
  });

  test.each(floats)("%s parameters", async (dtype) => {
    const run = new Run8({ optimizer, dtype });
    const before = await run.states();
    const grad = toFloat32(dtype, fromFloat32(dtype, gradient(run.size, 1)));
    await run.step(grad, defaults);
    const expected = before.map((state, i) => advance(optimizer, state, grad[i]!, defaults).p);
    const rounded = toFloat32(dtype, fromFloat32(dtype, Float32Array.from(expected)));
    const found = toFloat32(dtype, (await run.raw()).param);
    const ulp = { float32: 2 ** -22, float16: 2 ** -10, bfloat16: 2 ** -7 }[dtype];
    const far = [...found].filter((p, i) => Math.abs(p - rounded[i]!) > ulp * Math.abs(rounded[i]!) + 1e-7);
    expect(far).toEqual([]);
  });
});

describe("AdEMAMix", () => {
  test("the absmax rows of its two moments do not overlap when the size is no multiple of 256", async () => {
    const run = new Run8({ optimizer: "ademamix", size: 300 });
    const grad = new Float32Array(300).fill(1e-3);
    grad[299] = 8;
    await run.step(grad, defaults);
    const { absmax1 } = await run.raw();
    expect(absmax1).toHaveLength(4);
    // Fast moments are (1 − β1)·g, slow ones (1 − β3)·g; the large gradient is in the last block of each row.
    [1e-4, 0.8, 1e-7, 8e-4].forEach((expected, i) => {
      expect(absmax1[i]! / expected).toBeCloseTo(1, 2);
    });
  });

  test("n % 256 = 0 and n % 256 ≠ 0 update the common elements alike", async () => {
    const [short, long] = [300, 512].map((size) => new Run8({ optimizer: "ademamix", size }));
    const grad = gradient(512, 1);
    await short!.step(grad.slice(0, 300), defaults);
    await long!.step(grad, defaults);
    const [a, b] = [await short!.states(), await long!.states()];
    expect(
      firstDifference(
        a.slice(0, 256).map(({ slow }) => slow),
        b.slice(0, 256).map(({ slow }) => slow),
      ),
    ).toBeUndefined();
  });
});

describe("ademamixSchedule", () => {
  const options = { alpha: 5, beta1: 0.9, beta3: 0.9999 };

  test("without horizons alpha and beta3 are constant", () => {
    expect(ademamixSchedule({ ...options, step: 1 })).toEqual({ alpha: 5, beta3: 0.9999 });
    expect(ademamixSchedule({ ...options, step: 7, tAlpha: null, tBeta3: null })).toEqual({ alpha: 5, beta3: 0.9999 });
  });

  test("alpha grows linearly to its value and stays there", () => {
    const alphas = [1, 50, 100, 1000].map((step) => ademamixSchedule({ ...options, step, tAlpha: 100 }).alpha);
    expect(alphas).toEqual([0.05, 2.5, 5, 5]);
  });

  test("the half-life of beta3 grows linearly from beta1's to its own", () => {
    const halfLife = (beta: number) => Math.log(0.5) / Math.log(beta);
    const [start, end] = [halfLife(options.beta1), halfLife(options.beta3)];
    for (const step of [1, 250, 500, 999]) {
      const { beta3 } = ademamixSchedule({ ...options, step, tBeta3: 1000 });
      const expected = start + ((end - start) * step) / 1000;
      expect(halfLife(beta3) / expected).toBeCloseTo(1, 9);
    }
    expect(ademamixSchedule({ ...options, step: 5000, tBeta3: 1000 }).beta3).toBe(options.beta3);
  });
});
