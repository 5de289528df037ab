/** Wrong arguments: each is refused at the call, with the one code that says what is wrong. */
import { type Backend, createQuantizedTensor, quantize, type Tensor } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { codeThrown, expectCode } from "./execution.js";
import { allSamples, runSample, type Sample, sampleOf, sampleStep, sampleWeight } from "./samples.js";
import type { Suite } from "./suite.js";

interface Mistake {
  readonly what: string;
  readonly code: string;
  /** Makes the call; it must throw before it returns. */
  readonly run: (backend: Backend) => unknown;
}

/** A valid sample call with some arguments replaced. */
function mistake(code: string, what: string, op: Sample["op"], replace: (backend: Backend) => object): Mistake {
  const run = (backend: Backend) => {
    const sample = sampleOf(backend, op) as Sample;
    return runSample(backend, { ...sample, args: { ...sample.args, ...replace(backend) } as Sample["args"] });
  };
  return { what: `${op}: ${what}`, code, run };
}

const f32 = (backend: Backend, ...shape: number[]): Tensor<"float32"> => backend.zeros("float32", shape);
const u8 = (backend: Backend, ...shape: number[]): Tensor<"uint8"> => backend.zeros("uint8", shape);
const i8 = (backend: Backend, ...shape: number[]): Tensor<"int8"> => backend.zeros("int8", shape);

const mistakes: readonly Mistake[] = [
  mistake("UNKNOWN_FORMAT", "a format nobody registered", "quantize4bit", () => ({ format: "nf5" })),
  mistake("INVALID_ARGUMENT", "an 8-bit format", "quantize4bit", () => ({ format: "int8-blockwise" })),
  mistake("UNSUPPORTED_BLOCK_SIZE", "block size 48", "quantize4bit", () => ({ blockSize: 48 })),
  mistake("UNSUPPORTED_BLOCK_SIZE", "block size 0", "quantize4bit", () => ({ blockSize: 0 })),
  mistake("UNSUPPORTED_BLOCK_SIZE", "block size 128 of af4", "quantize4bit", () => ({ format: "af4", blockSize: 128 })),
  mistake("DTYPE_MISMATCH", "integers", "quantize4bit", (backend) => ({ x: backend.zeros("int32", [64]) })),
  mistake("INVALID_ARGUMENT", "an array instead of a tensor", "quantize4bit", () => ({ x: new Float32Array(64) })),
  mistake("INVALID_ARGUMENT", "an unknown profile", "quantize4bit", () => ({ profile: "fast" })),
  mistake("INVALID_ARGUMENT", "an unknown nonFinite", "quantize4bit", () => ({ nonFinite: "ignore" })),
  mistake("SHAPE_MISMATCH", "a map of 16 entries", "quantizeBlockwise", (backend) => ({ code: f32(backend, 16) })),
  mistake("DTYPE_MISMATCH", "a map of bytes", "quantizeBlockwise", (backend) => ({ code: u8(backend, 256) })),
  mistake("UNSUPPORTED_BLOCK_SIZE", "half a block", "quantizeBlockwise", () => ({ blockSize: 0.5 })),
  mistake("SHAPE_MISMATCH", "too few block maxima", "dequantizeBlockwise", (backend) => ({ absmax: f32(backend, 1) })),
  mistake("DTYPE_MISMATCH", "codes that are floats", "dequantizeBlockwise", (backend) => ({
    codes: f32(backend, 100),
  })),
  mistake("INVALID_ARGUMENT", "an output dtype that is no float", "dequantizeBlockwise", () => ({ dtype: "int8" })),
  mistake("INVALID_ARGUMENT", "an output dtype nobody knows", "dequantize4bit", () => ({ dtype: "float8" })),
  mistake("SHAPE_MISMATCH", "codes for another shape", "dequantize4bit", (backend) => ({
    weight: weightWith(backend, { shape: [3, 64] }),
  })),
  mistake("SHAPE_MISMATCH", "maxima for another block size", "dequantize4bit", (backend) => ({
    weight: weightWith(backend, { blockSize: 32 }),
  })),
  mistake("UNKNOWN_FORMAT", "a weight of an unknown format", "dequantize4bit", (backend) => ({
    weight: weightWith(backend, { format: "nf5" }),
  })),
  mistake("SHAPE_MISMATCH", "x of another size", "quantizationError", (backend) => ({ x: f32(backend, 127) })),
  mistake("DTYPE_MISMATCH", "x of bytes", "quantizationError", (backend) => ({ x: u8(backend, 128) })),
  mistake("SHAPE_MISMATCH", "maxima for another block size", "quantizationError", (backend) => ({
    weight: weightWith(backend, { blockSize: 32 }),
  })),
  mistake("SHAPE_MISMATCH", "x with another inner dimension", "gemm4bit", (backend) => ({ x: f32(backend, 3, 63) })),
  mistake("SHAPE_MISMATCH", "x [.., K] where the weight is transposed", "gemm4bit", () => ({ transpose: true })),
  mistake("SHAPE_MISMATCH", "a bias of another length", "gemm4bit", (backend) => ({ bias: f32(backend, 3) })),
  mistake("SHAPE_MISMATCH", "a weight with three dimensions", "gemm4bit", (backend) => ({
    weight: weightWith(backend, { shape: [1, 2, 64] }),
  })),
  mistake("INVALID_ARGUMENT", "an unknown accuracy", "gemm4bit", () => ({ accuracy: "sloppy" })),
  mistake("DTYPE_MISMATCH", "x of bytes", "gemm4bit", (backend) => ({ x: u8(backend, 3, 64) })),
  mistake("SHAPE_MISMATCH", "x with another inner dimension", "gemm", (backend) => ({ x: f32(backend, 3, 65) })),
  mistake("SHAPE_MISMATCH", "a weight with one dimension", "gemm", (backend) => ({ weight: f32(backend, 64) })),
  mistake("SHAPE_MISMATCH", "a bias of another length", "gemm", (backend) => ({ bias: f32(backend, 64) })),
  mistake("DTYPE_MISMATCH", "a weight of bytes", "gemm", (backend) => ({ weight: i8(backend, 2, 64) })),
  mistake("INVALID_ARGUMENT", "a negative threshold", "int8VectorwiseQuant", () => ({ threshold: -1 })),
  mistake("INVALID_ARGUMENT", "a threshold that is no number", "int8VectorwiseQuant", () => ({
    threshold: Number.NaN,
  })),
  mistake("DTYPE_MISMATCH", "x of bytes", "int8VectorwiseQuant", (backend) => ({ x: i8(backend, 3, 64) })),
  mistake("SHAPE_MISMATCH", "too many row maxima", "int8VectorwiseDequant", (backend) => ({
    rowStats: f32(backend, 4),
  })),
  mistake("DTYPE_MISMATCH", "unsigned codes", "int8VectorwiseDequant", (backend) => ({ q: u8(backend, 3, 64) })),
  mistake("SHAPE_MISMATCH", "different inner dimensions", "int8LinearMatmul", (backend) => ({ b: i8(backend, 2, 63) })),
  mistake("DTYPE_MISMATCH", "unsigned codes", "int8LinearMatmul", (backend) => ({ a: u8(backend, 3, 64) })),
  mistake("SHAPE_MISMATCH", "too few row maxima", "int8MmDequant", (backend) => ({ rowStats: f32(backend, 2) })),
  mistake("DTYPE_MISMATCH", "sums that are floats", "int8MmDequant", (backend) => ({ a: f32(backend, 3, 2) })),
  mistake("SHAPE_MISMATCH", "too many column maxima", "int8ScaledMm", (backend) => ({ colStats: f32(backend, 3) })),
  mistake("INVALID_ARGUMENT", "an output dtype that is no float", "int8ScaledMm", () => ({ dtype: "int32" })),
  mistake("SHAPE_MISMATCH", "x of another shape", "int8MixedScaledMm", (backend) => ({ x: f32(backend, 3, 63) })),
  mistake("SHAPE_MISMATCH", "a mask of another length", "int8MixedScaledMm", (backend) => ({
    outlierColumns: u8(backend, 63),
  })),
  mistake("SHAPE_MISMATCH", "a gradient of another shape", "optimizerUpdate32bit", (backend) => ({
    grad: f32(backend, 71),
  })),
  mistake("SHAPE_MISMATCH", "a state of another size", "optimizerUpdate32bit", (backend) => ({
    state1: f32(backend, 71),
  })),
  mistake("DTYPE_MISMATCH", "a state of bytes", "optimizerUpdate32bit", (backend) => ({ state1: u8(backend, 70) })),
  mistake("INVALID_ARGUMENT", "an unknown optimizer", "optimizerUpdate32bit", () => ({ optimizer: "sgd" })),
  mistake("INVALID_ARGUMENT", "no second state", "optimizerUpdate32bit", () => ({ state2: undefined })),
  mistake("INVALID_ARGUMENT", "a second state too many", "optimizerUpdate32bit", () => ({ optimizer: "lion" })),
  mistake("INVALID_ARGUMENT", "step 0", "optimizerUpdate32bit", () => ({ step: { ...sampleStep, step: 0 } })),
  mistake("INVALID_ARGUMENT", "a rate that is no number", "optimizerUpdate32bit", () => ({
    step: { ...sampleStep, lr: Number.NaN },
  })),
  mistake("SHAPE_MISMATCH", "maxima of another block size", "optimizerUpdate8bitBlockwise", () => ({ blockSize: 32 })),
  mistake("SHAPE_MISMATCH", "a map of 16 entries", "optimizerUpdate8bitBlockwise", (backend) => ({
    code1: f32(backend, 16),
  })),
  mistake("DTYPE_MISMATCH", "a state of floats", "optimizerUpdate8bitBlockwise", (backend) => ({
    state1: f32(backend, 70),
  })),
  {
    what: "tensor: too little data",
    code: "SHAPE_MISMATCH",
    run: (backend) => backend.tensor("float32", [3], new Float32Array(2)),
  },
  {
    what: "tensor: an array of another dtype",
    code: "DTYPE_MISMATCH",
    run: (backend) => backend.tensor("float32", [3], new Int32Array(3) as never),
  },
  {
    what: "tensor: a negative dimension",
    code: "INVALID_SHAPE",
    run: (backend) => backend.tensor("float32", [-1], new Float32Array()),
  },
  { what: "zeros: half a row", code: "INVALID_SHAPE", run: (backend) => backend.zeros("float32", [1.5]) },
  {
    what: "zeros: a dtype nobody knows",
    code: "INVALID_ARGUMENT",
    run: (backend) => backend.zeros("float64" as "float32", [1]),
  },
  { what: "reshape: another size", code: "SHAPE_MISMATCH", run: (backend) => f32(backend, 6).reshape([5]) },
  { what: "into: another shape", code: "SHAPE_MISMATCH", run: (backend) => withInto(backend, f32(backend, 2, 3)) },
  { what: "into: another dtype", code: "SHAPE_MISMATCH", run: (backend) => withInto(backend, u8(backend, 3, 2)) },
];

/** The sample weight with a part replaced by one that does not fit. */
function weightWith(backend: Backend, part: { shape?: readonly number[]; blockSize?: number; format?: string }) {
  return createQuantizedTensor({ ...sampleWeight(backend), ...part });
}

function withInto(backend: Backend, out: Tensor): unknown {
  return runSample(backend, sampleOf(backend, "gemm") as Sample, { out });
}

export function errorCases(suite: Suite): void {
  describe("mistakes are refused at the call", () => {
    for (const { what, code, run } of mistakes) {
      test(`${what} → ${code}`, () => {
        expect(codeThrown(() => run(suite.backend))).toBe(code);
      });
    }
    test("a disposed tensor, in every operation → TENSOR_DISPOSED", () => disposedEverywhere(suite));
    test("a tensor of another backend, in every operation → WRONG_BACKEND", () => foreignEverywhere(suite));
    test("a disposed tensor cannot be read or reshaped → TENSOR_DISPOSED", () => disposedHandle(suite));
    test("quantize() rejects with the same codes", () => quantizeRejects(suite));
    test('profile "cpu" belongs to the reference backend alone → UNSUPPORTED_KERNEL', () => cpuProfile(suite));
  });
}

async function disposedEverywhere({ backend }: Suite): Promise<void> {
  for (const { op } of allSamples(backend)) {
    for (const name of Object.keys(sampleOf(backend, op).tensors)) {
      const sample = sampleOf(backend, op) as Sample;
      sample.tensors[name]!.dispose();
      expect(
        codeThrown(() => runSample(backend, sample)),
        `${op}, ${name}`,
      ).toBe("TENSOR_DISPOSED");
    }
  }
}

/** Swaps one tensor at a time for its twin on the oracle. */
async function foreignEverywhere({ backend, oracle }: Suite): Promise<void> {
  for (const { op } of allSamples(backend)) {
    const [own, foreign] = [sampleOf(backend, op) as Sample, sampleOf(oracle, op) as Sample];
    for (const name of Object.keys(own.args).filter((key) => key in own.tensors || key === "weight")) {
      const twin = (foreign.args as unknown as Record<string, unknown>)[name];
      const args = { ...own.args, [name]: twin } as Sample["args"];
      expect(
        codeThrown(() => runSample(backend, { ...own, args })),
        `${op}, ${name}`,
      ).toBe("WRONG_BACKEND");
    }
  }
}

async function disposedHandle({ backend }: Suite): Promise<void> {
  const tensor = f32(backend, 4);
  tensor.dispose();
  await expectCode(tensor.read(), "TENSOR_DISPOSED");
  expect(codeThrown(() => tensor.reshape([2, 2]))).toBe("TENSOR_DISPOSED");
}

async function quantizeRejects({ backend }: Suite): Promise<void> {
  const x = f32(backend, 64);
  await expectCode(quantize(x, { format: "nf5" }), "UNKNOWN_FORMAT");
  await expectCode(quantize(x, { format: "nf4", blockSize: 63 }), "UNSUPPORTED_BLOCK_SIZE");
  await expectCode(quantize(x, { format: "nf4", signal: AbortSignal.abort() }), "ABORTED");
  x.dispose();
  await expectCode(quantize(x, { format: "nf4" }), "TENSOR_DISPOSED");
}

async function cpuProfile({ backend }: Suite): Promise<void> {
  const sample = sampleOf(backend, "quantizeBlockwise");
  const args = { ...sample.args, profile: "cpu" } as const;
  if (backend.name === "reference") return void backend.kernels.quantizeBlockwise(args);
  expect(codeThrown(() => backend.kernels.quantizeBlockwise(args))).toBe("UNSUPPORTED_KERNEL");
}
