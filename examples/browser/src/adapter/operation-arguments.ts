/** Small arguments for every operation: enough to ask a backend which kernel it would run. */
import {
  type Backend,
  createDynamicMap,
  createQuantizedTensor,
  getFormat,
  type OpName,
  type Ops,
  type QuantizedTensor,
  type Step,
} from "@halfbyte/core";

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

type Build<K extends OpName> = (backend: Backend) => Ops[K]["in"];

const [rows, columns] = [4, 64];

function nf4(b: Backend): QuantizedTensor {
  return createQuantizedTensor({
    format: "nf4",
    shape: [rows, columns],
    dtype: "float32",
    blockSize: 64,
    codes: b.zeros("uint8", [(rows * columns) / 2]),
    scales: { kind: "block", absmax: b.zeros("float32", [rows]) },
  });
}

const map = (b: Backend, signed = true) =>
  b.tensor("float32", [256], signed ? getFormat("int8-blockwise").code : createDynamicMap({ signed: false }));

const product = (b: Backend) => ({
  a: b.zeros("int8", [1, columns]),
  b: b.zeros("int8", [rows, columns]),
  rowStats: b.zeros("float32", [1]),
  colStats: b.zeros("float32", [rows]),
});

const update = (b: Backend) => ({
  optimizer: "adam" as const,
  param: b.zeros("float32", [256]),
  grad: b.zeros("float32", [256]),
  step,
});

const builders: { readonly [K in OpName]: Build<K> } = {
  quantize4bit: (b) => ({ x: b.zeros("float32", [256]), format: "nf4", blockSize: 64 }),
  dequantize4bit: (b) => ({ weight: nf4(b), dtype: "float32" }),
  quantizeBlockwise: (b) => ({ x: b.zeros("float32", [256]), code: map(b), blockSize: 256 }),
  dequantizeBlockwise: (b) => ({
    codes: b.zeros("uint8", [256]),
    absmax: b.zeros("float32", [1]),
    code: map(b),
    blockSize: 256,
    dtype: "float32",
  }),
  quantizationError: (b) => ({ x: b.zeros("float32", [rows, columns]), weight: nf4(b) }),
  gemm4bit: (b) => ({ x: b.zeros("float32", [1, columns]), weight: nf4(b) }),
  gemm: (b) => ({ x: b.zeros("float32", [1, columns]), weight: b.zeros("float32", [rows, columns]) }),
  int8VectorwiseQuant: (b) => ({ x: b.zeros("float32", [rows, columns]), threshold: 0 }),
  int8VectorwiseDequant: (b) => ({ q: b.zeros("int8", [rows, columns]), rowStats: b.zeros("float32", [rows]) }),
  int8LinearMatmul: (b) => ({ a: product(b).a, b: product(b).b }),
  int8MmDequant: (b) => ({
    a: b.zeros("int32", [1, rows]),
    rowStats: b.zeros("float32", [1]),
    colStats: b.zeros("float32", [rows]),
    dtype: "float32",
  }),
  int8ScaledMm: (b) => ({ ...product(b), dtype: "float32" }),
  int8MixedScaledMm: (b) => ({
    ...product(b),
    x: b.zeros("float32", [1, columns]),
    outlierColumns: b.zeros("uint8", [columns]),
  }),
  optimizerUpdate32bit: (b) => ({ ...update(b), state1: b.zeros("float32", [256]), state2: b.zeros("float32", [256]) }),
  optimizerUpdate8bitBlockwise: (b) => ({
    ...update(b),
    state1: b.zeros("uint8", [256]),
    state2: b.zeros("uint8", [256]),
    code1: map(b),
    code2: map(b, false),
    absmax1: b.zeros("float32", [1]),
    absmax2: b.zeros("float32", [1]),
    blockSize: 256,
  }),
};

/** Asks with arguments that are gone afterwards. */
export function withArguments<K extends OpName, T>(backend: Backend, op: K, use: (args: Ops[K]["in"]) => T): T {
  const args = builders[op](backend);
  try {
    return use(args);
  } finally {
    for (const value of Object.values(args as object))
      if (typeof value === "object" && value !== null && "dispose" in value)
        (value as Disposable & { dispose(): void }).dispose();
  }
}
