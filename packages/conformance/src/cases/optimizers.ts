/** Optimizer steps against the reference kernels, every step from the same state. */
import {
  type ArrayOf,
  type Backend,
  createDynamicMap,
  type Float,
  type Optimizer,
  type Step,
  type Tensor,
} from "@halfbyte/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Difference,
  differenceBeyond,
  differenceInBits,
  differenceInCodes,
  differenceInUlps,
} from "../judge/compare.js";
import { type Elements, numbersOf, readElements } from "../judge/elements.js";
import { type Closeness, stateCodes, tolerance } from "../tolerance.js";
import { anyFloat, anySeed, normals } from "./data.js";
import { floats, type Suite, scoped } from "./suite.js";

const twoStates: readonly Optimizer[] = ["adam", "adamw", "lamb", "ademamix"];
const oneState: readonly Optimizer[] = ["momentum", "lars", "lion", "rmsprop", "adagrad"];

export function optimizerCases(suite: Suite): void {
  describe("optimizers", () => {
    for (const optimizer of [...twoStates, ...oneState]) {
      test(`${optimizer}, 32-bit states`, () => sameSteps(suite, optimizer, 32));
      test(`${optimizer}, 8-bit states`, () => sameSteps(suite, optimizer, 8));
    }
    test("updates write to their arguments and leave the gradient", () => writesInPlace(suite));
    test("skipZeros keeps elements without a gradient", () => skipsZeros(suite));
  });
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  step: fc.integer({ min: 1, max: 50 }),
  lr: fc.constantFrom(1e-3, 0.05),
  beta1: fc.constantFrom(0.9, 0.95),
  beta2: fc.constantFrom(0.999, 0.98),
  beta3: fc.constant(0.9999),
  alpha: fc.constantFrom(0, 5),
  eps: fc.constantFrom(1e-8, 1e-6),
  weightDecay: fc.constantFrom(0, 0.02),
  gradScale: fc.constantFrom(1, 0.5),
  maxUnorm: fc.constantFrom(0, 0.3),
  skipZeros: fc.boolean(),
});

/** Everything an update reads and writes, on one backend. */
type State = Readonly<Record<string, Tensor>>;

async function sameSteps(suite: Suite, optimizer: Optimizer, bits: 8 | 32): Promise<void> {
  const property = fc.asyncProperty(
    anyStep,
    anyFloat,
    fc.integer({ min: 1, max: 1500 }),
    anySeed,
    async (step, dtype, size, seed) => {
      await scoped(async (own) => {
        const [found, expected] = [suite.backend, suite.oracle].map((backend) => {
          const state = stateOf(backend, { optimizer, bits, dtype, size, seed });
          for (const tensor of Object.values(state)) own(tensor);
          const norm = update(backend, optimizer, bits, step, state);
          return norm ? { ...state, updateNorm: own(norm) } : state;
        });
        for (const name of Object.keys(expected!)) await expectClose(name, expected![name]!, found![name]!);
      });
    },
  );
  await fc.assert(property, suite.runs(8));
}

interface Setup {
  readonly optimizer: Optimizer;
  readonly bits: 8 | 32;
  readonly dtype: Float;
  readonly size: number;
  readonly seed: number;
}

function stateOf(backend: Backend, { optimizer, bits, dtype, size, seed }: Setup): State {
  const shared = {
    param: floats(backend, dtype, [size], normals(size, seed, 0.5)),
    grad: floats(
      backend,
      dtype,
      [size],
      normals(size, seed + 1, 0.05).map((value, i) => (i % 7 === 0 ? 0 : value)),
    ),
  };
  const stacked = optimizer === "ademamix" ? 2 : 1;
  const second = twoStates.includes(optimizer);
  return bits === 32
    ? { ...shared, ...states32(backend, size, seed, stacked, second, optimizer) }
    : { ...shared, ...states8(backend, size, seed, stacked, second, optimizer) };
}

/** Sums of squares are never negative. */
const isSquared = (optimizer: Optimizer): boolean => optimizer === "rmsprop" || optimizer === "adagrad";

function states32(
  backend: Backend,
  size: number,
  seed: number,
  stacked: number,
  second: boolean,
  optimizer: Optimizer,
): State {
  const first = normals(size * stacked, seed + 2, 0.02).map((value) => (isSquared(optimizer) ? value * value : value));
  const shape = stacked === 2 ? [2, size] : [size];
  const state1 = backend.tensor("float32", shape, first);
  if (!second) return { state1 };
  return {
    state1,
    state2: backend.tensor(
      "float32",
      [size],
      normals(size, seed + 3, 0.02).map((value) => value * value),
    ),
  };
}

const blockSize = 256;

function states8(
  backend: Backend,
  size: number,
  seed: number,
  stacked: number,
  second: boolean,
  optimizer: Optimizer,
): State {
  const blocks = Math.ceil(size / blockSize);
  const bytes = (count: number, offset: number, low: number) =>
    Uint8Array.from(normals(count, seed + offset), (value) => low + (Math.abs(value * 1e4) % (256 - low)));
  const scales = (count: number, offset: number) =>
    normals(count, seed + offset, 0.01).map((value) => Math.abs(value) + 1e-4);
  const shape = stacked === 2 ? [2, size] : [size];
  const one = {
    state1: backend.tensor("uint8", shape, bytes(size * stacked, 4, isSquared(optimizer) ? 127 : 0)),
    absmax1: backend.tensor("float32", stacked === 2 ? [2, blocks] : [blocks], scales(blocks * stacked, 5)),
    code1: backend.tensor("float32", [256], createDynamicMap()),
  };
  if (!second) return one;
  return {
    ...one,
    state2: backend.tensor("uint8", [size], bytes(size, 6, 0)),
    absmax2: backend.tensor("float32", [blocks], scales(blocks, 7)),
    code2: backend.tensor("float32", [256], createDynamicMap({ signed: false })),
  };
}

/** Runs one step; gives the update norm of 32-bit updates. */
function update(backend: Backend, optimizer: Optimizer, bits: 8 | 32, step: Step, state: State): Tensor | undefined {
  type Args32 = Parameters<Backend["kernels"]["optimizerUpdate32bit"]>[0];
  type Args8 = Parameters<Backend["kernels"]["optimizerUpdate8bitBlockwise"]>[0];
  if (bits === 32)
    return backend.kernels.optimizerUpdate32bit({ ...state, optimizer, step } as unknown as Args32).updateNorm;
  backend.kernels.optimizerUpdate8bitBlockwise({ ...state, optimizer, step, blockSize } as unknown as Args8);
  return undefined;
}

async function expectClose(name: string, expected: Tensor, found: Tensor): Promise<void> {
  const difference = differenceOf(name, await readElements(expected), await readElements(found));
  expect(difference, name).toBeUndefined();
}

function differenceOf(name: string, expected: Elements, found: Elements): Difference | undefined {
  if (name === "grad" || name.startsWith("code")) return differenceInBits(expected, found);
  if (expected.dtype === "uint8") return differenceInCodes(expected, found, stateCodes);
  if (name !== "param") return differenceIn(tolerance.optimizerState, expected, found);
  if (expected.dtype === "float32") return differenceIn(tolerance.parameter, expected, found);
  return differenceInUlps(expected, found, tolerance.parameter16bit.ulps);
}

function differenceIn({ rtol, atol }: Closeness, expected: Elements, found: Elements): Difference | undefined {
  const numbers = numbersOf(expected);
  return differenceBeyond(numbers, numbersOf(found), (i) => rtol * Math.abs(numbers[i]!) + atol);
}

const plainStep: Step = {
  step: 1,
  lr: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  beta3: 0,
  alpha: 0,
  eps: 1e-8,
  weightDecay: 0,
  gradScale: 1,
  maxUnorm: 0,
  skipZeros: false,
};

/** p − lr·g at the first step of momentum: easy to know by heart. */
async function writesInPlace({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const param = own(backend.tensor("float32", [3], Float32Array.of(1, 2, 3)));
    const grad = own(backend.tensor("float32", [3], Float32Array.of(1, -1, 0.5)));
    const state1 = own(backend.zeros("float32", [3]));
    own(
      backend.kernels.optimizerUpdate32bit({ optimizer: "momentum", param, grad, state1, step: plainStep }).updateNorm,
    );
    expectNear(await param.read(), [0.9, 2.1, 2.95]);
    expectNear(await state1.read(), [1, -1, 0.5]);
    expect([...(await grad.read())]).toEqual([1, -1, 0.5]);
  });
}

async function skipsZeros({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const param = own(backend.tensor("float32", [2], Float32Array.of(1, 1)));
    const grad = own(backend.tensor("float32", [2], Float32Array.of(0, 1)));
    const state1 = own(backend.tensor("float32", [2], Float32Array.of(1, 1)));
    const step = { ...plainStep, step: 2, skipZeros: true };
    own(backend.kernels.optimizerUpdate32bit({ optimizer: "momentum", param, grad, state1, step }).updateNorm);
    expectNear(await param.read(), [1, 1 - 0.1 * 1.9]);
    expectNear(await state1.read(), [1, 1.9]);
  });
}

function expectNear(found: ArrayOf["float32"], expected: readonly number[]): void {
  expected.forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 6);
  });
}
