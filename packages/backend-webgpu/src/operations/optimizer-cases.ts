/** What the self-test runs of optimizers beside core's cases: blocks of an odd size, 16-bit parameters, states that start inside a word. */
import {
  type Backend,
  createDynamicMap,
  createRandom,
  type Float,
  fromFloat32,
  type Optimizer,
  type SelfTestCase,
  type Step,
  selfTestCase,
} from "@halfbyte/core";

const step: Step = {
  step: 3,
  lr: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  beta3: 0.999,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.01,
  gradScale: 0.5,
  maxUnorm: 0,
  skipZeros: true,
};

/** A part of the largest value; 16-bit parameters may be one step apart, which is 2⁻⁸ of a bfloat16. */
const bound = 2 ** -7;

const drawn = (b: Backend, dtype: Float, count: number, seed: number) => {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: count }, (_, i) => (i % 7 === 0 ? 0 : random.normal()));
  return b.tensor(dtype, [count], fromFloat32(dtype, values));
};

const codes = (b: Backend, count: number) =>
  b.tensor(
    "uint8",
    [count],
    Uint8Array.from({ length: count }, (_, i) => (i * 37) & 255),
  );

const maxima = (b: Backend, count: number) =>
  b.tensor(
    "float32",
    [count],
    Float32Array.from({ length: count }, (_, i) => 0.5 + i / 8),
  );

const map = (b: Backend, signed: boolean) => b.tensor("float32", [256], createDynamicMap({ signed }));

interface Shape {
  readonly optimizer: Optimizer;
  readonly size: number;
  readonly blockSize: number;
  readonly param: Float;
  readonly grad: Float;
}

const update8bit = ({ optimizer, size, blockSize, param, grad }: Shape) =>
  selfTestCase("optimizerUpdate8bitBlockwise", bound, (b) => {
    const blocks = Math.ceil(size / blockSize);
    const rows = optimizer === "ademamix" ? 2 : 1;
    const args = {
      optimizer,
      param: drawn(b, param, size, 21),
      grad: drawn(b, grad, size, 22),
      state1: codes(b, rows * size),
      code1: map(b, true),
      absmax1: maxima(b, rows * blocks),
      blockSize,
      step,
    };
    if (optimizer === "lion") return args;
    return { ...args, state2: codes(b, size), code2: map(b, false), absmax2: maxima(b, blocks) };
  });

export const optimizerCases8bit: readonly SelfTestCase<"optimizerUpdate8bitBlockwise">[] = [
  update8bit({ optimizer: "adam", size: 301, blockSize: 99, param: "bfloat16", grad: "float32" }),
  update8bit({ optimizer: "ademamix", size: 301, blockSize: 99, param: "float32", grad: "float32" }),
  update8bit({ optimizer: "ademamix", size: 301, blockSize: 64, param: "float16", grad: "bfloat16" }),
  update8bit({ optimizer: "lion", size: 301, blockSize: 99, param: "float16", grad: "float16" }),
];
