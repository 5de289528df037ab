/** Suite optimizer: one update of all parameters, in place. The floor is copying as many bytes as are read and written. */
import { type Backend, createDynamicMap, type Step, type Tensor } from "@halfbyte/core";
import type { Bench, Prepared } from "../case.js";
import { disposeAll } from "../kernel-calls.js";
import { relativeError } from "../measure/statistics.js";
import { timed } from "../measure/subject.js";
import { referenceCandidate } from "../peers/reference.js";
import { normalValues } from "../product.js";
import type { Spec } from "../spec.js";

export const optimizerCases = ["adam 8 bit", "adam 32 bit"] as const;

const stateBlock = 256;
const step: Step = {
  step: 1,
  lr: 1e-3,
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

/** Bytes that an update reads and writes per parameter: parameter and gradient in f32, two states and their scales. */
const bytesPerParameter = (is8bit: boolean): number => {
  const states = is8bit ? 2 * (1 + 4 / stateBlock) : 2 * 4;
  return 4 + 2 * (4 + states);
};

export async function prepareOptimizer(spec: Spec, { backend }: Bench): Promise<Prepared> {
  const size = spec.shape.n * spec.shape.k;
  const is8bit = spec.case === "adam 8 bit";
  const update = (on: Backend) => (is8bit ? update8bit : update32bit)(on, size);
  const own = update(backend);
  own.run();
  const error = await firstStepError(own.param, size);
  const subject = timed({ enqueue: own.run, wait: () => backend.synchronize() });
  return {
    ours: [{ memory: null, subject }],
    // A copy reads and writes: its work is half the traffic.
    floor: { kind: "copy", work: (size * bytesPerParameter(is8bit)) / 2, temperature: "warm" },
    otherFloors: [],
    candidates: [referenceCandidate(update)],
    relativeError: error,
    accuracy: null,
    dispose: own.dispose,
  };
}

interface Update {
  readonly param: Tensor<"float32">;
  run(): void;
  dispose(): void;
}

const gradients = (size: number): Float32Array => normalValues(size, 2, 1e-2);

function update8bit(backend: Backend, size: number): Update {
  const blocks = Math.ceil(size / stateBlock);
  const signed = createDynamicMap();
  const unsigned = createDynamicMap({ signed: false });
  const zeroCode = (map: Float32Array) => new Uint8Array(size).fill(map.indexOf(0));
  const args = {
    param: backend.tensor("float32", [size], normalValues(size, 1)),
    grad: backend.tensor("float32", [size], gradients(size)),
    state1: backend.tensor("uint8", [size], zeroCode(signed)),
    state2: backend.tensor("uint8", [size], zeroCode(unsigned)),
    code1: backend.tensor("float32", [256], signed),
    code2: backend.tensor("float32", [256], unsigned),
    absmax1: backend.zeros("float32", [blocks]),
    absmax2: backend.zeros("float32", [blocks]),
  };
  const options = { optimizer: "adam", blockSize: stateBlock, step } as const;
  return {
    param: args.param,
    run: () => void backend.kernels.optimizerUpdate8bitBlockwise({ ...options, ...args }),
    dispose: () => disposeAll(Object.values(args)),
  };
}

function update32bit(backend: Backend, size: number): Update {
  const args = {
    param: backend.tensor("float32", [size], normalValues(size, 1)),
    grad: backend.tensor("float32", [size], gradients(size)),
    state1: backend.zeros("float32", [size]),
    state2: backend.zeros("float32", [size]),
  };
  const out = { updateNorm: backend.zeros("float32", [1]) };
  return {
    param: args.param,
    run: () => void backend.kernels.optimizerUpdate32bit({ optimizer: "adam", step, ...args }, out),
    dispose: () => disposeAll([...Object.values(args), out.updateNorm]),
  };
}

/** Adam's first step from zero states moves every parameter by lr · g / (|g| + eps): states have not been rounded yet. */
async function firstStepError(param: Tensor<"float32">, size: number): Promise<number> {
  const before = normalValues(size, 1);
  const grad = gradients(size);
  const { lr, eps } = step;
  const moved = (value: number, i: number) => {
    const g = grad[i]!;
    return value - lr * (g / (Math.abs(g) + eps));
  };
  return relativeError(await param.read(), Float64Array.from(before, moved));
}
