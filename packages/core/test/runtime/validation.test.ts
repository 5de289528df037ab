/** Wrong calls of every operation: each is refused at the call, with its one code, and nothing is allocated for it. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend.js";
import { type OpName, opNames } from "../../src/kernels.js";
import type { QuantizedTensor } from "../../src/quantized-tensor.js";
import { selfTestCases } from "../../src/self-test-cases.js";
import type { DType, Tensor } from "../../src/tensor.js";
import { backendOn } from "./backends.js";
import { thrownBy } from "./failure.js";

/** Arguments that take the place of valid ones; a function makes them on the backend. */
type Wrong = Readonly<Record<string, unknown>>;
type Mistake = readonly [code: string, what: string, wrong: Wrong];

/** A tensor of zeros, made on the backend of the call. */
const zeros =
  (dtype: DType, ...shape: number[]) =>
  (backend: Backend): Tensor =>
    backend.zeros(dtype, shape);

/** The valid weight with parts replaced. */
const weight =
  (parts: Wrong) =>
  (backend: Backend, valid: unknown): QuantizedTensor => ({
    ...(valid as QuantizedTensor),
    ...made(backend, parts, valid as object),
  });

const scales =
  (parts: Wrong) =>
  (backend: Backend, valid: unknown): object => ({ ...(valid as object), ...made(backend, parts, valid as object) });

function made(backend: Backend, wrong: Wrong, valid: object): Wrong {
  const make = (name: string, value: unknown) =>
    typeof value === "function" ? value(backend, (valid as Wrong)[name]) : value;
  return Object.fromEntries(Object.entries(wrong).map(([name, value]) => [name, make(name, value)]));
}

const [argument, dtype, shape, blockSize] = [
  "INVALID_ARGUMENT",
  "DTYPE_MISMATCH",
  "SHAPE_MISMATCH",
  "UNSUPPORTED_BLOCK_SIZE",
] as const;

const weights: readonly Mistake[] = [
  [argument, "no weight", { weight: undefined }],
  [argument, "a dense weight", { weight: zeros("float32", 4, 128) }],
  [argument, "a null weight", { weight: null }],
  ["UNKNOWN_FORMAT", "a format nobody registered", { weight: weight({ format: "nf5" }) }],
  ["INVALID_SHAPE", "a shape that is none", { weight: weight({ shape: [4, -128] }) }],
  [shape, "codes for another shape", { weight: weight({ shape: [5, 128] }) }],
  [shape, "maxima for another block size", { weight: weight({ blockSize: 32 }) }],
  [blockSize, "an odd block size", { weight: weight({ blockSize: 63 }) }],
  [blockSize, "block size 0", { weight: weight({ blockSize: 0 }) }],
  [argument, "no codes", { weight: weight({ codes: undefined }) }],
  [dtype, "signed codes", { weight: weight({ codes: zeros("int8", 256) }) }],
  [shape, "a table of 15 entries", { weight: weight({ code: zeros("float32", 15) }) }],
  [argument, "no scales", { weight: weight({ scales: undefined }) }],
  [argument, "no maxima", { weight: weight({ scales: scales({ absmax: undefined }) }) }],
  [dtype, "maxima in float16", { weight: weight({ scales: scales({ absmax: zeros("float16", 8) }) }) }],
  [dtype, "nested scales without codes", { weight: weight({ scales: scales({ kind: "nested" }) }) }],
];

const only4bit: readonly Mistake[] = [
  [argument, "an 8-bit weight", { weight: weight({ format: "int8-blockwise" }) }],
  [argument, "scales of rows", { weight: weight({ scales: scales({ kind: "row" }) }) }],
];

const nested = (parts: Wrong) => ({ weight: weight({ scales: scales({ ...validNested, ...parts }) }) });
const validNested: Wrong = {
  kind: "nested",
  absmax: zeros("uint8", 8),
  nestedAbsmax: zeros("float32", 1),
  nestedCode: zeros("float32", 256),
  nestedBlockSize: 256,
  offset: 0.5,
};

const nestedWeights: readonly Mistake[] = [
  [argument, "no nested maxima", nested({ nestedAbsmax: undefined })],
  [shape, "too many nested maxima", nested({ nestedAbsmax: zeros("float32", 2) })],
  [shape, "nested maxima for another block size", nested({ nestedBlockSize: 4 })],
  [argument, "no nested map", nested({ nestedCode: undefined })],
  [shape, "a nested map of 16 entries", nested({ nestedCode: zeros("float32", 16) })],
  [blockSize, "half a nested block", nested({ nestedBlockSize: 0.5 })],
  [argument, "an offset that is no number", nested({ offset: Number.NaN })],
  [argument, "no offset", nested({ offset: undefined })],
];

const products: readonly Mistake[] = [
  [argument, "no x", { x: undefined }],
  [argument, "an array as x", { x: new Float32Array(128) }],
  [dtype, "x of bytes", { x: zeros("uint8", 1, 128) }],
  [shape, "x with another inner dimension", { x: zeros("float32", 1, 127) }],
  [shape, "x without dimensions", { x: zeros("float32") }],
  [shape, "x [.., K] where the weight is transposed", { transpose: true }],
  [dtype, "a bias of integers", { bias: zeros("int32", 4) }],
  [shape, "a bias of the length of a row", { bias: zeros("float32", 128) }],
  [argument, "a number as bias", { bias: 1 }],
];

const scaled: readonly Mistake[] = [
  [argument, "no row maxima", { rowStats: undefined }],
  [shape, "too few row maxima", { rowStats: zeros("float32", 2) }],
  [dtype, "row maxima in float16", { rowStats: zeros("float16", 3) }],
  [argument, "no column maxima", { colStats: undefined }],
  [shape, "too many column maxima", { colStats: zeros("float32", 6) }],
  [dtype, "a bias of bytes", { bias: zeros("int8", 5) }],
  [shape, "a bias of another length", { bias: zeros("float32", 3) }],
  [argument, "an unknown profile", { profile: "gpu" }],
];

const outputDtype: readonly Mistake[] = [
  [argument, "no output dtype", { dtype: undefined }],
  [argument, "an output dtype that is no float", { dtype: "int8" }],
  [argument, "an output dtype nobody knows", { dtype: "float8" }],
];

const integers: readonly Mistake[] = [
  [argument, "no a", { a: undefined }],
  [argument, "no b", { b: undefined }],
  [dtype, "unsigned a", { a: zeros("uint8", 3, 64) }],
  [dtype, "unsigned b", { b: zeros("uint8", 5, 64) }],
  [shape, "different inner dimensions", { b: zeros("int8", 5, 63) }],
  [shape, "a b with three dimensions", { b: zeros("int8", 1, 5, 64) }],
];

const quantizer: readonly Mistake[] = [
  [argument, "no x", { x: undefined }],
  [argument, "an array as x", { x: new Float32Array(64) }],
  [dtype, "x of integers", { x: zeros("int32", 64) }],
  [argument, "an unknown nonFinite", { nonFinite: "ignore" }],
];

const blockSizes: readonly Mistake[] = [0, -64, 63.5, Number.NaN, "64", undefined].map(
  (value): Mistake => [blockSize, `block size ${JSON.stringify(value) ?? "none"}`, { blockSize: value }],
);

const map: readonly Mistake[] = [
  [argument, "no map", { code: undefined }],
  [shape, "a map of 16 entries", { code: zeros("float32", 16) }],
  [dtype, "a map of bytes", { code: zeros("uint8", 256) }],
];

const updates: readonly Mistake[] = [
  [argument, "an unknown optimizer", { optimizer: "sgd" }],
  [argument, "no optimizer", { optimizer: undefined }],
  [argument, "the name of something every object has", { optimizer: "toString" }],
  [argument, "no parameter", { param: undefined }],
  [dtype, "a parameter of bytes", { param: zeros("uint8", 80) }],
  [argument, "no gradient", { grad: undefined }],
  [shape, "a gradient of another shape", { grad: zeros("float32", 79) }],
  [argument, "an unknown profile", { profile: "gpu" }],
  [argument, "no step", { step: undefined }],
  [argument, "step 0", { step: replaced({ step: 0 }) }],
  ...(["lr", "beta1", "beta2", "beta3", "alpha", "eps", "weightDecay", "gradScale", "maxUnorm"] as const).map(
    (name): Mistake => [argument, `${name} that is no number`, { step: replaced({ [name]: Number.NaN }) }],
  ),
  [argument, "no learning rate", { step: replaced({ lr: undefined }) }],
  [argument, "no first state", { state1: undefined }],
  [argument, "no second state", { state2: undefined }],
  [argument, "a second state too many", { optimizer: "lion" }],
];

function replaced(parts: object) {
  return (_: Backend, valid: unknown) => ({ ...(valid as object), ...parts });
}

const mistakes: Readonly<Record<OpName, readonly Mistake[]>> = {
  quantize4bit: [
    ...quantizer,
    ...blockSizes,
    [blockSize, "block size 48", { blockSize: 48 }],
    [blockSize, "an odd block size", { blockSize: 63 }],
    [blockSize, "block size 128 of af4", { format: "af4", blockSize: 128 }],
    ["UNKNOWN_FORMAT", "a format nobody registered", { format: "nf5" }],
    ["UNKNOWN_FORMAT", "no format", { format: undefined }],
    [argument, "an 8-bit format", { format: "int8-blockwise" }],
    [argument, "an unknown profile", { profile: "gpu" }],
  ],
  dequantize4bit: [...weights, ...only4bit, ...nestedWeights, ...outputDtype],
  quantizeBlockwise: [...quantizer, ...blockSizes, ...map, [argument, "an unknown profile", { profile: "gpu" }]],
  dequantizeBlockwise: [
    ...blockSizes,
    ...map,
    ...outputDtype,
    [argument, "no codes", { codes: undefined }],
    [dtype, "codes that are floats", { codes: zeros("float32", 600) }],
    [argument, "no maxima", { absmax: undefined }],
    [dtype, "maxima of bytes", { absmax: zeros("uint8", 3) }],
    [shape, "too few maxima", { absmax: zeros("float32", 2) }],
    [argument, "an offset that is no number", { offset: Number.NaN }],
    [argument, "an endless offset", { offset: Number.POSITIVE_INFINITY }],
  ],
  quantizationError: [
    ...weights,
    ...nestedWeights,
    [argument, "no x", { x: undefined }],
    [argument, "an array as x", { x: new Float32Array(512) }],
    [dtype, "x of bytes", { x: zeros("uint8", 4, 128) }],
    [shape, "x of another size", { x: zeros("float32", 4, 127) }],
    [argument, "scales of no kind", { weight: weight({ scales: scales({ kind: "column" }) }) }],
    [shape, "4-bit codes of an 8-bit weight", { weight: weight({ format: "int8-blockwise" }) }],
    [dtype, "unsigned codes of rows", { weight: weight({ scales: scales({ kind: "row" }) }) }],
    [shape, "too many row maxima", { weight: weight(rows({ kind: "row" })) }],
    [dtype, "row maxima of bytes", { weight: weight(rows({ kind: "row", absmax: zeros("uint8", 4) })) }],
    [shape, "rows with three dimensions", { weight: weight({ ...rows({ kind: "row" }), shape: [1, 4, 128] }) }],
  ],
  gemm4bit: [
    ...weights,
    ...only4bit,
    ...nestedWeights,
    ...products,
    [shape, "a weight with three dimensions", { weight: weight({ shape: [1, 4, 128] }) }],
    [argument, "an unknown accuracy", { accuracy: "sloppy" }],
  ],
  gemm: [
    ...products,
    [argument, "no weight", { weight: undefined }],
    [dtype, "a weight of bytes", { weight: zeros("int8", 4, 128) }],
    [shape, "a weight with one dimension", { weight: zeros("float32", 128) }],
  ],
  int8VectorwiseQuant: [
    ...quantizer,
    [shape, "x without dimensions", { x: zeros("float32") }],
    [argument, "a negative threshold", { threshold: -1 }],
    [argument, "a threshold that is no number", { threshold: Number.NaN }],
    [argument, "no threshold", { threshold: undefined }],
  ],
  int8VectorwiseDequant: [
    [argument, "no codes", { q: undefined }],
    [dtype, "unsigned codes", { q: zeros("uint8", 4, 33) }],
    [shape, "codes without dimensions", { q: zeros("int8") }],
    [argument, "no row maxima", { rowStats: undefined }],
    [shape, "too many row maxima", { rowStats: zeros("float32", 5) }],
    [dtype, "row maxima of bytes", { rowStats: zeros("uint8", 4) }],
  ],
  int8LinearMatmul: integers,
  int8MmDequant: [
    ...scaled,
    ...outputDtype,
    [argument, "no sums", { a: undefined }],
    [dtype, "sums that are floats", { a: zeros("float32", 3, 5) }],
    [shape, "sums without dimensions", { a: zeros("int32") }],
  ],
  int8ScaledMm: [...integers, ...scaled, ...outputDtype],
  int8MixedScaledMm: [
    ...integers,
    ...scaled,
    [argument, "no x", { x: undefined }],
    [dtype, "x of bytes", { x: zeros("int8", 3, 64) }],
    [shape, "x of another shape", { x: zeros("float32", 3, 63) }],
    [argument, "no mask", { outlierColumns: undefined }],
    [dtype, "a mask of floats", { outlierColumns: zeros("float32", 64) }],
    [shape, "a mask of another length", { outlierColumns: zeros("uint8", 63) }],
  ],
  optimizerUpdate32bit: [
    ...updates,
    [shape, "a state of another size", { state1: zeros("float32", 79) }],
    [dtype, "a state of bytes", { state1: zeros("uint8", 80) }],
    [shape, "a second state of another size", { state2: zeros("float32", 81) }],
    [dtype, "a second state of bytes", { state2: zeros("uint8", 80) }],
    [shape, "one moment where AdEMAMix keeps two", { optimizer: "ademamix" }],
  ],
  optimizerUpdate8bitBlockwise: [
    ...updates,
    ...blockSizes,
    [shape, "maxima of another block size", { blockSize: 64 }],
    [dtype, "a state of floats", { state1: zeros("float32", 300) }],
    [shape, "a state of another size", { state1: zeros("uint8", 299) }],
    [argument, "no map", { code1: undefined }],
    [shape, "a map of 16 entries", { code1: zeros("float32", 16) }],
    [argument, "no maxima", { absmax1: undefined }],
    [argument, "no second map", { code2: undefined }],
    [shape, "a second map of 16 entries", { code2: zeros("float32", 16) }],
    [argument, "no second maxima", { absmax2: undefined }],
    [dtype, "second maxima of bytes", { absmax2: zeros("uint8", 2) }],
    [shape, "one moment where AdEMAMix keeps two", { optimizer: "ademamix" }],
  ],
};

/** Codes of LLM.int8() rows. */
function rows(parts: Wrong): Wrong {
  return { codes: zeros("int8", 4, 128), scales: scales(parts) };
}

const validArgs = (backend: Backend, op: OpName): Promise<object> =>
  selfTestCases.find((one) => one.op === op)!.build(backend);

const call = (backend: Backend, op: OpName, args: object): object => backend.kernels[op](args as never);

for (const op of opNames)
  describe(op, () => {
    for (const [code, what, wrong] of mistakes[op])
      test(`${what} → ${code}`, async () => {
        const backend = backendOn();
        const valid = await validArgs(backend, op);
        const args = { ...valid, ...made(backend, wrong, valid) };
        const before = backend.memory();
        expect(thrownBy(() => call(backend, op, args)).code).toBe(code);
        expect(backend.memory()).toEqual(before);
      });

    test("each tensor disposed or of another backend", async () => {
      const [backend, other] = [backendOn(), backendOn()];
      const foreign = await validArgs(other, op);
      for (const [name, value] of Object.entries(await validArgs(backend, op))) {
        if (typeof value !== "object" || value === null || !("dispose" in value)) continue;
        const valid = await validArgs(backend, op);
        const twin = (foreign as Wrong)[name];
        expect(thrownBy(() => call(backend, op, { ...valid, [name]: twin })).code, name).toBe("WRONG_BACKEND");
        (valid as Record<string, Tensor>)[name]!.dispose();
        expect(thrownBy(() => call(backend, op, valid)).code, name).toBe("TENSOR_DISPOSED");
      }
    });

    test("the call that is right goes through", async () => {
      const backend = backendOn();
      const args = await validArgs(backend, op);
      const before = backend.memory().tensors;
      const outputs = Object.values(call(backend, op, args));
      expect(backend.memory().tensors).toBe(before + outputs.length);
      await backend.synchronize();
    });
  });

describe("tensors", () => {
  const cases: readonly [string, string, (backend: Backend) => unknown][] = [
    [shape, "too little data", (b) => b.tensor("float32", [3], new Float32Array(2))],
    [shape, "too many raw bytes", (b) => b.tensor("float32", [3], new Uint8Array(13))],
    [dtype, "an array of another dtype", (b) => b.tensor("float32", [3], new Int32Array(3) as never)],
    [dtype, "a list", (b) => b.tensor("float32", [3], [1, 2, 3] as never)],
    [dtype, "no data", (b) => b.tensor("float32", [3], undefined as never)],
    ["INVALID_SHAPE", "a negative dimension", (b) => b.tensor("float32", [-1], new Float32Array())],
    ["INVALID_SHAPE", "half a row", (b) => b.zeros("float32", [1.5])],
    ["INVALID_SHAPE", "more elements than there are numbers", (b) => b.zeros("float32", [2 ** 30, 2 ** 30])],
    ["INVALID_SHAPE", "a number as shape", (b) => b.zeros("float32", 4 as never)],
    ["OUT_OF_MEMORY", "more bytes than the device allows", (b) => b.zeros("float32", [2 ** 32])],
    [argument, "a dtype nobody knows", (b) => b.zeros("float64" as "float32", [1])],
    [dtype, "data of a dtype nobody knows", (b) => b.tensor("float64" as "float32", [1], new Float64Array(1) as never)],
    [shape, "reshape to another size", (b) => b.zeros("float32", [6]).reshape([5])],
    ["INVALID_SHAPE", "reshape with an open dimension", (b) => b.zeros("float32", [6]).reshape([-1])],
  ];
  for (const [code, what, body] of cases)
    test(`${what} → ${code}`, () => {
      const backend = backendOn();
      expect(thrownBy(() => body(backend)).code).toBe(code);
    });
});
