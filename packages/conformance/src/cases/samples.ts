/** One small, valid call of every operation: for the rules that hold for all of them. */
import {
  type Backend,
  createDynamicMap,
  createQuantizedTensor,
  type OpName,
  type Ops,
  opNames,
  type QuantizedTensor,
  type Step,
  type Tensor,
} from "@halfbyte/core";
import { normals } from "./data.js";

export interface Sample<K extends OpName = OpName> {
  readonly op: K;
  readonly args: Ops[K]["in"];
  /** Every tensor among the arguments, a weight's own ones included, by name. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Those the operation writes to. */
  readonly inout: readonly string[];
}

export const sampleStep: Step = {
  step: 2,
  lr: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  beta3: 0,
  alpha: 0,
  eps: 1e-8,
  weightDecay: 0.01,
  gradScale: 1,
  maxUnorm: 0,
  skipZeros: false,
};

const floats = (backend: Backend, shape: readonly number[], seed: number): Tensor<"float32"> =>
  backend.tensor("float32", shape, normals(size(shape), seed));
const positive = (backend: Backend, shape: readonly number[], seed: number): Tensor<"float32"> =>
  backend.tensor(
    "float32",
    shape,
    normals(size(shape), seed).map((value) => Math.abs(value) + 0.1),
  );
const bytes = (backend: Backend, shape: readonly number[]): Tensor<"uint8"> =>
  backend.tensor(
    "uint8",
    shape,
    Uint8Array.from({ length: size(shape) }, (_, i) => (i * 37) % 256),
  );
const codes = (backend: Backend, shape: readonly number[]): Tensor<"int8"> =>
  backend.tensor(
    "int8",
    shape,
    Int8Array.from({ length: size(shape) }, (_, i) => ((i * 37) % 255) - 127),
  );
const size = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** A weight [2, 64] in one format, with flat scales. */
export function sampleWeight(backend: Backend): QuantizedTensor {
  const scales = { kind: "block", absmax: positive(backend, [2], 2) } as const;
  return createQuantizedTensor({
    format: "nf4",
    shape: [2, 64],
    dtype: "float32",
    blockSize: 64,
    codes: bytes(backend, [64]),
    scales,
  });
}

const map = (backend: Backend): Tensor<"float32"> => backend.tensor("float32", [256], createDynamicMap());

type Builders = { readonly [K in OpName]: (backend: Backend) => Ops[K]["in"] };

const builders: Builders = {
  quantize4bit: (backend) => ({ x: floats(backend, [2, 64], 1), format: "nf4", blockSize: 64 }),
  dequantize4bit: (backend) => ({ weight: sampleWeight(backend), dtype: "float32" }),
  quantizeBlockwise: (backend) => ({ x: floats(backend, [100], 3), code: map(backend), blockSize: 64 }),
  dequantizeBlockwise: (backend) => ({
    codes: bytes(backend, [100]),
    absmax: positive(backend, [2], 4),
    code: map(backend),
    blockSize: 64,
    dtype: "float32",
  }),
  quantizationError: (backend) => ({ x: floats(backend, [2, 64], 23), weight: sampleWeight(backend) }),
  gemm4bit: (backend) => ({
    x: floats(backend, [3, 64], 5),
    weight: sampleWeight(backend),
    bias: floats(backend, [2], 6),
  }),
  gemm: (backend) => ({
    x: floats(backend, [3, 64], 7),
    weight: floats(backend, [2, 64], 8),
    bias: floats(backend, [2], 9),
  }),
  int8VectorwiseQuant: (backend) => ({ x: floats(backend, [3, 64], 10), threshold: 1.5 }),
  int8VectorwiseDequant: (backend) => ({ q: codes(backend, [3, 64]), rowStats: positive(backend, [3], 11) }),
  int8LinearMatmul: (backend) => ({ a: codes(backend, [3, 64]), b: codes(backend, [2, 64]) }),
  int8MmDequant: (backend) => ({
    a: backend.tensor("int32", [3, 2], Int32Array.of(9, -8, 700, 60_000, -5, 4)),
    ...stats(backend),
    dtype: "float32",
  }),
  int8ScaledMm: (backend) => ({
    a: codes(backend, [3, 64]),
    b: codes(backend, [2, 64]),
    ...stats(backend),
    dtype: "float32",
  }),
  int8MixedScaledMm: (backend) => ({
    x: floats(backend, [3, 64], 12),
    a: codes(backend, [3, 64]),
    b: codes(backend, [2, 64]),
    ...stats(backend),
    outlierColumns: backend.tensor(
      "uint8",
      [64],
      Uint8Array.from({ length: 64 }, (_, i) => (i % 20 === 3 ? 1 : 0)),
    ),
  }),
  optimizerUpdate32bit: (backend) => ({
    optimizer: "adam",
    param: floats(backend, [70], 13),
    grad: floats(backend, [70], 14),
    state1: floats(backend, [70], 15),
    state2: positive(backend, [70], 16),
    step: sampleStep,
  }),
  optimizerUpdate8bitBlockwise: (backend) => ({
    optimizer: "momentum",
    param: floats(backend, [70], 17),
    grad: floats(backend, [70], 18),
    state1: bytes(backend, [70]),
    code1: map(backend),
    absmax1: positive(backend, [2], 19),
    blockSize: 64,
    step: sampleStep,
  }),
};

const stats = (backend: Backend) => ({
  rowStats: positive(backend, [3], 20),
  colStats: positive(backend, [2], 21),
  bias: floats(backend, [2], 22),
});

const inouts: Partial<Record<OpName, readonly string[]>> = {
  optimizerUpdate32bit: ["param", "state1", "state2"],
  optimizerUpdate8bitBlockwise: ["param", "state1", "absmax1"],
};

const isTensor = (value: unknown): value is Tensor => typeof value === "object" && value !== null && "read" in value;

/** A sample call of `op`, its tensors made on `backend`. */
export function sampleOf<K extends OpName>(backend: Backend, op: K): Sample<K> {
  const args: Ops[K]["in"] = builders[op](backend);
  const entries = Object.entries<unknown>(args as Record<string, unknown>);
  const tensors = Object.fromEntries(entries.flatMap(([name, value]) => tensorsIn(name, value)));
  return { op, args, tensors, inout: inouts[op] ?? [] };
}

function tensorsIn(name: string, value: unknown): [string, Tensor][] {
  if (isTensor(value)) return [[name, value]];
  if (name !== "weight") return [];
  const { codes: packed, scales } = value as QuantizedTensor;
  return [
    ["weight.codes", packed],
    ["weight.absmax", scales.absmax],
  ];
}

export const allSamples = (backend: Backend): Sample[] => opNames.map((op) => sampleOf(backend, op) as Sample);

/** Runs a sample; its outputs by name. */
export function runSample(
  backend: Backend,
  { op, args }: Sample,
  into?: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  type Kernel = (args: unknown, into?: unknown) => Record<string, Tensor>;
  return (backend.kernels[op] as unknown as Kernel)(args, into);
}
