/** Optimizer steps as plain arrays in and out, to run the same one on several backends and compare every bit. */
import {
  type ArrayOf,
  type Backend,
  createDynamicMap,
  createRandom,
  type DType,
  type Float,
  fromFloat32,
  type Optimizer,
  type Profile,
  type Step,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";

export const optimizers = [
  "adam",
  "adamw",
  "lamb",
  "ademamix",
  "momentum",
  "lars",
  "lion",
  "rmsprop",
  "adagrad",
] as const satisfies readonly Optimizer[];

const twoStates: readonly Optimizer[] = ["adam", "adamw", "lamb", "ademamix"];
const squares: readonly Optimizer[] = ["rmsprop", "adagrad"];

export const usualStep: Step = {
  step: 3,
  lr: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  beta3: 0.9999,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.02,
  gradScale: 0.5,
  maxUnorm: 0,
  skipZeros: false,
};

/** A step of one tensor. Arrays that are not given are drawn from a seed. */
export interface OptimizerCase {
  readonly optimizer: Optimizer;
  readonly bits: 8 | 32;
  readonly size: number;
  readonly blockSize?: number;
  readonly dtype?: Float;
  readonly gradDtype?: Float;
  readonly profile?: Profile;
  readonly step?: Partial<Step>;
  readonly param?: Float32Array;
  readonly grad?: Float32Array;
  /** Magnitude of the states. */
  readonly scale?: number;
  readonly state1?: Float32Array | Uint8Array;
  readonly absmax1?: Float32Array;
  /** Tensors in memory of the host. */
  readonly paged?: readonly string[];
}

/** What a step leaves; floats are widened, NaN is NaN. */
export type Outcome = Readonly<Record<string, Float32Array | Uint8Array>>;

type Setup = { readonly [name: string]: readonly [DType, readonly number[], ArrayOf[DType]] };

export async function runStep(backend: Backend, one: OptimizerCase): Promise<Outcome> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, [dtype, shape, data]] of Object.entries(setupOf(one)))
    tensors[name] = backend.tensor(dtype, shape, data as ArrayOf[typeof dtype], {
      paged: one.paged?.includes(name) ?? false,
    });
  Object.assign(tensors, launch(backend, one, tensors));
  const outcome: Record<string, Float32Array | Uint8Array> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    outcome[name] = widened(tensor, await tensor.read());
    tensor.dispose();
  }
  return outcome;
}

const widened = ({ dtype }: Tensor, data: ArrayOf[DType]) =>
  dtype === "uint8" ? (data as Uint8Array) : toFloat32(dtype as Float, data as ArrayOf[Float]);

type Args<K extends "optimizerUpdate32bit" | "optimizerUpdate8bitBlockwise"> = Parameters<Backend["kernels"][K]>[0];

function launch({ kernels }: Backend, one: OptimizerCase, tensors: Readonly<Record<string, Tensor>>) {
  const { optimizer, bits, blockSize = 256, profile = "reference" } = one;
  const args = { ...tensors, optimizer, blockSize, profile, step: { ...usualStep, ...one.step } } as unknown;
  if (bits === 32) return kernels.optimizerUpdate32bit(args as Args<"optimizerUpdate32bit">);
  return kernels.optimizerUpdate8bitBlockwise(args as Args<"optimizerUpdate8bitBlockwise">);
}

function setupOf(one: OptimizerCase): Setup {
  const { optimizer, bits, size, blockSize = 256, dtype = "float32", gradDtype = dtype } = one;
  const drawn = bits === 32 ? states32(one) : states8(one);
  const rows = optimizer === "ademamix" ? [2] : [];
  const [bitsOf, blocks] = [bits === 32 ? "float32" : "uint8", Math.ceil(size / blockSize)] as const;
  const setup: Record<string, Setup[string]> = {
    param: [dtype, [size], fromFloat32(dtype, one.param ?? drawn.param)],
    grad: [gradDtype, [size], fromFloat32(gradDtype, one.grad ?? drawn.grad)],
    state1: [bitsOf, [...rows, size], one.state1 ?? drawn.state1],
  };
  if (bits === 8) {
    setup["code1"] = ["float32", [256], createDynamicMap()];
    setup["absmax1"] = ["float32", [...rows, blocks], one.absmax1 ?? drawn.absmax1!];
  }
  if (!twoStates.includes(optimizer)) return setup;
  setup["state2"] = [bitsOf, [size], drawn.state2];
  if (bits === 32) return setup;
  setup["code2"] = ["float32", [256], createDynamicMap({ signed: false })];
  setup["absmax2"] = ["float32", [blocks], drawn.absmax2!];
  return setup;
}

interface Drawn<State> {
  readonly param: Float32Array;
  readonly grad: Float32Array;
  readonly state1: State;
  readonly state2: State;
  readonly absmax1?: Float32Array;
  readonly absmax2?: Float32Array;
}

/** Every seventh gradient is 0. */
function floats({ size }: OptimizerCase) {
  const random = createRandom(size + 5);
  const draw = (count: number, scale: number) => Float32Array.from({ length: count }, () => random.normal() * scale);
  return { draw, random, param: draw(size, 0.5), grad: draw(size, 0.05).map((value, i) => (i % 7 === 3 ? 0 : value)) };
}

function states32(one: OptimizerCase): Drawn<Float32Array> {
  const { draw, param, grad } = floats(one);
  const { optimizer, size, scale = 0.02 } = one;
  const state1 = draw(optimizer === "ademamix" ? 2 * size : size, scale);
  return {
    param,
    grad,
    state1: squares.includes(optimizer) ? state1.map((value) => value * value) : state1,
    state2: draw(size, scale).map((value) => value * value),
  };
}

/** Sums of squares have codes of 0 and above. */
function states8(one: OptimizerCase): Drawn<Uint8Array> {
  const { draw, random, param, grad } = floats(one);
  const { optimizer, size, scale = 0.02, blockSize = 256 } = one;
  const [rows, blocks] = [optimizer === "ademamix" ? 2 : 1, Math.ceil(size / blockSize)];
  const codes = (count: number, low: number) =>
    Uint8Array.from({ length: count }, () => low + Math.floor(random.uniform() * (256 - low)));
  const maxima = (count: number) => draw(count, scale).map((value) => Math.abs(value));
  return {
    param,
    grad,
    state1: codes(rows * size, squares.includes(optimizer) ? 127 : 0),
    absmax1: maxima(rows * blocks),
    state2: codes(size, 0),
    absmax2: maxima(blocks),
  };
}
