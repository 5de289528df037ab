/**
 * What the self-test runs: every operation, in the variants that devices have kernels of their own for, on small seeded
 * inputs with values on and beside the decision thresholds.
 */
import type { Backend } from "./backend.js";
import { fromFloat32, newArray, unitRoundoff } from "./dtype.js";
import { thresholdsOf } from "./formats/codebook.js";
import { getFormat } from "./formats/index.js";
import { createDynamicMap } from "./formats/maps.js";
import type { OpName, Ops, Optimizer, Step } from "./kernels.js";
import { quantize } from "./quantize.js";
import { createQuantizedTensor, type QuantizedTensor, type Scales } from "./quantized-tensor.js";
import { createRandom } from "./random.js";
import { referenceBackend } from "./reference/backend.js";
import { optimizerStates } from "./reference/optimizer-rule.js";
import { sizeOf } from "./shape.js";
import type { ArrayOf, Float, Tensor } from "./tensor.js";

/** One operation on small inputs, built on whichever backend is given. */
export interface SelfTestCase<K extends OpName = OpName> {
  readonly op: K;
  build(backend: Backend): Promise<Ops[K]["in"]>;
  /** How far results may be apart, as a part of the largest value; 0 asks for the same bits. */
  readonly bound: number;
}

const [rows, columns] = [4, 128];

export function selfTestCase<K extends OpName>(
  op: K,
  bound: number,
  build: (backend: Backend) => Ops[K]["in"] | Promise<Ops[K]["in"]>,
): SelfTestCase<K> {
  return { op, bound, build: async (backend) => build(backend) };
}

/** Values on and beside the thresholds of a table, then normal ones; each block of 64 starts with its absmax, 1. */
function nearThresholds(table: Float32Array, count: number): Float32Array {
  const values = normals(count, 20260819).map((value) => Math.max(-1, Math.min(1, value / 4)));
  const places = [...values.keys()].filter((i) => i % 64 !== 0);
  const edges = Array.from(thresholdsOf(table).bounds, (t) => [t, t * (1 - 2 ** -23), t * (1 + 2 ** -23)]).flat();
  for (const [i, edge] of edges.slice(0, places.length).entries()) values[places[i]!] = edge;
  for (let i = 0; i < count; i += 64) values[i] = 1;
  return values;
}

function normals(count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

const tableOf = (format: string): Float32Array => getFormat(format).code;

const floats = <D extends Float>(b: Backend, dtype: D, shape: readonly number[], values: Float32Array): Tensor<D> =>
  b.tensor(dtype, shape, fromFloat32(dtype, values));

const random = (b: Backend, shape: readonly number[], seed: number, dtype: Float = "float32"): Tensor<Float> =>
  floats(b, dtype, shape, normals(sizeOf(shape), seed));

const unsignedMap = createDynamicMap({ signed: false });
const mapValues = (signed: boolean): Float32Array => (signed ? tableOf("int8-blockwise") : unsignedMap);
const map = (b: Backend, signed = true): Tensor<"float32"> => b.tensor("float32", [256], mapValues(signed));

/** All codes, in an order that repeats late. */
const bytes = (b: Backend, count: number): Tensor<"uint8"> =>
  b.tensor(
    "uint8",
    [count],
    Uint8Array.from({ length: count }, (_, i) => (i * 37) & 255),
  );

const integers = (b: Backend, shape: readonly number[], seed: number): Tensor<"int8"> => {
  const { uniform } = createRandom(seed);
  return b.tensor(
    "int8",
    shape,
    Int8Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 255) - 127),
  );
};

const stats = (b: Backend, count: number): Tensor<"float32"> =>
  b.tensor(
    "float32",
    [count],
    Float32Array.from({ length: count }, (_, i) => 0.5 + i / 8),
  );

async function weight(backend: Backend, format: string, nested: boolean) {
  using x = random(referenceBackend(), [rows, columns], 14);
  using quantized = await quantize(x, { format, nested });
  return await quantized.to(backend);
}

const quantize4bit = (format: string, dtype: Float, count: number) =>
  selfTestCase("quantize4bit", 0, (b) => ({
    x: floats(b, dtype, [count], nearThresholds(tableOf(format), count)),
    format,
    blockSize: 64,
  }));

const quantizeBlockwise = (signed: boolean, dtype: Float, count: number) =>
  selfTestCase("quantizeBlockwise", 0, (b) => ({
    x: floats(b, dtype, [count], nearThresholds(mapValues(signed), count)),
    code: map(b, signed),
    blockSize: 256,
  }));

const dequantize4bit = (format: string, nested: boolean, dtype: Float) =>
  selfTestCase("dequantize4bit", 0, async (b) => ({ weight: await weight(b, format, nested), dtype }));

const dequantizeBlockwise = (dtype: Float, offset: number) =>
  selfTestCase("dequantizeBlockwise", 0, (b) => ({
    codes: bytes(b, 600),
    absmax: stats(b, 3),
    code: map(b),
    blockSize: 256,
    offset,
    dtype,
  }));

/** Small whole numbers in every format: their squares add up exactly, in any order. */
const wholes = (b: Backend, shape: readonly number[], dtype: Float): Tensor<Float> =>
  floats(
    b,
    dtype,
    shape,
    normals(sizeOf(shape), 15).map((value) => Math.round(4 * value)),
  );

const ramp = <D extends "uint8" | "int8" | "float32">(
  b: Backend,
  dtype: D,
  count: number,
  value: (index: number) => number,
): Tensor<D> => b.tensor(dtype, [count], newArray(dtype, count).map((_, i) => value(i)) as ArrayOf[D]);

/** From 1 to 4, as they are or nested. */
function wholeScales(b: Backend, count: number, nested: boolean): Scales {
  if (!nested) return { kind: "block", absmax: ramp(b, "float32", count, (i) => 1 + (i % 4)) };
  return {
    kind: "nested",
    absmax: ramp(b, "uint8", count, (i) => 126 + (i % 4)),
    nestedAbsmax: ramp(b, "float32", 1, () => 1),
    nestedCode: ramp(b, "float32", 256, (i) => i - 127),
    nestedBlockSize: count,
    offset: 2,
  };
}

/** Pairs of the codes of −1, 0 and 1. */
const nf4Wholes = [0x07, 0xf7, 0x70, 0x0f, 0x77, 0xff, 0x00];

const wholes4bit =
  (nested = false) =>
  (b: Backend, shape: readonly number[]) =>
    createQuantizedTensor({
      format: "nf4",
      shape,
      dtype: "float32",
      blockSize: 64,
      codes: ramp(b, "uint8", Math.ceil(sizeOf(shape) / 2), (i) => nf4Wholes[(i * 5) % 7]!),
      scales: wholeScales(b, Math.ceil(sizeOf(shape) / 64), nested),
    });

const wholes8bit = (b: Backend, shape: readonly number[]) =>
  createQuantizedTensor({
    format: "int8-blockwise",
    shape,
    dtype: "float32",
    blockSize: 100,
    codes: ramp(b, "uint8", sizeOf(shape), (i) => 126 + ((i * 37) % 5)),
    code: ramp(b, "float32", 256, (i) => i - 128),
    scales: wholeScales(b, Math.ceil(sizeOf(shape) / 100), false),
  });

/** fr(fr(q · 127) · fr(1/127)) is q. */
const wholeRows = (b: Backend, shape: readonly number[]) =>
  createQuantizedTensor({
    format: "int8-rowwise",
    shape,
    dtype: "float32",
    blockSize: 0,
    codes: ramp(b, "int8", sizeOf(shape), (i) => ((i * 37) % 17) - 8),
    scales: { kind: "row", absmax: ramp(b, "float32", shape[0]!, () => 127) },
  });

const quantizationError = (
  dtype: Float,
  shape: readonly number[],
  quantized: (b: Backend, shape: readonly number[]) => QuantizedTensor,
) => selfTestCase("quantizationError", 0, (b) => ({ x: wholes(b, shape, dtype), weight: quantized(b, shape) }));

/** Products may differ by one rounding on each side, and by how they are summed. */
const productBound = (dtype: Float): number => 2 ** -10 + 2 * unitRoundoff(dtype);

const gemm4bit = (m: number, dtype: Float, format: string, nested: boolean, transpose: boolean) =>
  selfTestCase("gemm4bit", productBound(dtype), async (b) => ({
    x: random(b, [m, transpose ? rows : columns], 1, dtype),
    weight: await weight(b, format, nested),
    bias: random(b, [transpose ? columns : rows], 2, dtype),
    transpose,
  }));

const gemm = (m: number, dtype: Float, transpose: boolean) =>
  selfTestCase("gemm", productBound(dtype), (b) => ({
    x: random(b, [m, transpose ? rows : columns], 1, dtype),
    weight: random(b, [rows, columns], 3, dtype),
    bias: random(b, [transpose ? columns : rows], 2, dtype),
    transpose,
  }));

const int8VectorwiseQuant = (dtype: Float, threshold: number) =>
  selfTestCase("int8VectorwiseQuant", 0, (b) => ({ x: random(b, [rows, columns], 4, dtype), threshold }));

const int8VectorwiseDequant = selfTestCase("int8VectorwiseDequant", 0, (b) => ({
  q: integers(b, [4, 33], 5),
  rowStats: stats(b, 4),
}));

const int8LinearMatmul = (m: number, n: number, k: number) =>
  selfTestCase("int8LinearMatmul", 0, (b) => ({ a: integers(b, [m, k], 6), b: integers(b, [n, k], 7) }));

const int8MmDequant = (dtype: Float, bias: Float) =>
  selfTestCase("int8MmDequant", 0, (b) => ({
    a: b.tensor(
      "int32",
      [3, 5],
      Int32Array.from({ length: 15 }, (_, i) => (i - 7) * 40_961),
    ),
    rowStats: stats(b, 3),
    colStats: stats(b, 5),
    bias: random(b, [5], 8, bias),
    dtype,
  }));

const int8ScaledMm = (dtype: Float) =>
  selfTestCase("int8ScaledMm", 0, (b) => ({
    a: integers(b, [3, 64], 6),
    b: integers(b, [5, 64], 7),
    rowStats: stats(b, 3),
    colStats: stats(b, 5),
    bias: random(b, [5], 8, dtype),
    dtype,
  }));

const int8MixedScaledMm = (dtype: Float) =>
  selfTestCase("int8MixedScaledMm", 2 ** -14 + 4 * unitRoundoff(dtype), (b) => ({
    x: random(b, [3, 64], 9, dtype),
    a: integers(b, [3, 64], 6),
    b: integers(b, [5, 64], 7),
    rowStats: stats(b, 3),
    colStats: stats(b, 5),
    outlierColumns: b.tensor(
      "uint8",
      [64],
      Uint8Array.from({ length: 64 }, (_, i) => (i % 20 === 3 ? 1 : 0)),
    ),
  }));

const step: Step = {
  step: 2,
  lr: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  beta3: 0.999,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.01,
  gradScale: 0.5,
  maxUnorm: 0,
  skipZeros: false,
};

/** A part of the largest value that every step within rtol 1e-5 keeps. */
const optimizerBound = 2 ** -16;
/** Of a 32-bit update, and of an 8-bit one: a block of 256 and a partial one. */
const [parameters, blockParameters] = [80, 300];

const positive = (b: Backend, count: number, seed: number): Tensor<"float32"> =>
  b.tensor(
    "float32",
    [count],
    normals(count, seed).map((value) => 0.01 + value * value),
  );

const optimizerUpdate32bit = (optimizer: Optimizer) =>
  selfTestCase("optimizerUpdate32bit", optimizerBound, (b) => {
    const { twoStates, stacked } = optimizerStates[optimizer];
    const args = {
      optimizer,
      param: random(b, [parameters], 10),
      grad: random(b, [parameters], 11),
      state1: positive(b, parameters * (stacked ? 2 : 1), 12),
      step: { ...step, maxUnorm: optimizer === "lamb" || optimizer === "lars" ? 0.02 : 0 },
    };
    return twoStates ? { ...args, state2: positive(b, parameters, 13) } : args;
  });

const optimizerUpdate8bitBlockwise = (optimizer: Optimizer) =>
  selfTestCase("optimizerUpdate8bitBlockwise", optimizerBound, (b) => {
    const { twoStates, stacked } = optimizerStates[optimizer];
    const moments = stacked ? 2 : 1;
    // A running sum of squares is never negative.
    const signed = optimizer !== "rmsprop" && optimizer !== "adagrad";
    const args = {
      optimizer,
      param: random(b, [blockParameters], 10),
      grad: random(b, [blockParameters], 11),
      state1: bytes(b, blockParameters * moments),
      code1: map(b, signed),
      absmax1: stats(b, 2 * moments),
      blockSize: 256,
      step,
    };
    return twoStates
      ? { ...args, state2: bytes(b, blockParameters), code2: map(b, false), absmax2: stats(b, 2) }
      : args;
  });

const optimizers = Object.keys(optimizerStates) as Optimizer[];

export const selfTestCases = [
  quantize4bit("nf4", "float32", 256),
  quantize4bit("fp4", "float32", 256),
  quantize4bit("af4", "float32", 128),
  quantize4bit("nf4", "bfloat16", 201),
  quantize4bit("fp4", "float16", 201),
  dequantize4bit("nf4", false, "bfloat16"),
  dequantize4bit("nf4", true, "float32"),
  dequantize4bit("fp4", false, "float16"),
  quantizeBlockwise(true, "float32", 800),
  quantizeBlockwise(false, "float32", 800),
  quantizeBlockwise(true, "bfloat16", 300),
  dequantizeBlockwise("float32", 0.25),
  dequantizeBlockwise("float16", 0),
  quantizationError("float32", [rows, columns], wholes4bit()),
  quantizationError("bfloat16", [1, 4099], wholes4bit()),
  quantizationError("float32", [2, 700], wholes4bit(true)),
  quantizationError("float16", [1, 1000], wholes8bit),
  quantizationError("bfloat16", [3, 150], wholeRows),
  gemm4bit(1, "float32", "nf4", false, false),
  gemm4bit(3, "float32", "fp4", true, false),
  gemm4bit(1, "bfloat16", "nf4", true, false),
  gemm4bit(3, "float16", "nf4", false, false),
  gemm4bit(3, "float32", "nf4", false, true),
  gemm(3, "float32", false),
  gemm(3, "bfloat16", false),
  gemm(3, "float32", true),
  int8VectorwiseQuant("float32", 2.5),
  int8VectorwiseQuant("float16", 0),
  int8VectorwiseDequant,
  int8LinearMatmul(3, 5, 64),
  int8LinearMatmul(1, 3, 33),
  int8MmDequant("float32", "float32"),
  int8MmDequant("float16", "float16"),
  int8ScaledMm("float32"),
  int8ScaledMm("bfloat16"),
  int8MixedScaledMm("float32"),
  int8MixedScaledMm("float16"),
  ...optimizers.map(optimizerUpdate32bit),
  ...optimizers.map(optimizerUpdate8bitBlockwise),
] as readonly SelfTestCase[];
