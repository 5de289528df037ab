/**
 * Does this device compute what the reference computes? Run when a backend is opened, once per kernel variant, on seeded
 * inputs with values at decision thresholds. A pass may be remembered; a verdict never chooses a library.
 */
import { type Backend, createBackend } from "./backend.js";
import type { Device } from "./device.js";
import { bytesOf, toFloat32 } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import { thresholdsOf } from "./formats/codebook.js";
import { getFormat } from "./formats/index.js";
import type { OpName, Ops } from "./kernels.js";
import { quantize } from "./quantize.js";
import { createRandom } from "./random.js";
import { referenceBackend } from "./reference/backend.js";
import type { Detection, OpenReport } from "./registry.js";
import { hasPassed, rememberPass } from "./self-test-cache.js";
import type { DType, Float, Tensor } from "./tensor.js";

/** One operation on small inputs, built on whichever backend is given. */
interface Case<K extends OpName = OpName> {
  readonly op: K;
  build(backend: Backend): Promise<Ops[K]["in"]>;
  /** Names of outputs that must agree to the bit; the others agree within `bound` of the largest value. */
  readonly exact: boolean;
}

const bound = 2 ** -10;
const rows = 8;
const columns = 128;

/** Values on and around the nf4 thresholds, then normal ones; each block of 64 starts with its absmax, 1. */
function values(): Float32Array {
  const random = createRandom(20260819);
  const { bounds } = thresholdsOf(getFormat("nf4").code);
  const edges = [...bounds].flatMap((t) => [t, t - 2 ** -24, t + 2 ** -24]);
  return Float32Array.from({ length: rows * columns }, (_, i) =>
    i % 64 === 0 ? 1 : i < 128 ? edges[i % edges.length]! : Math.max(-1, Math.min(1, random.normal() / 4)),
  );
}

const matrix = (backend: Backend, shape = [rows, columns]) =>
  backend.tensor("float32", shape, values().subarray(0, shape[0]! * shape[1]!));
const codebook = (backend: Backend) => backend.tensor("float32", [256], getFormat("int8-blockwise").code);
const integers = (backend: Backend, shape: number[]) => {
  const random = createRandom(7);
  return backend.tensor(
    "int8",
    shape,
    Int8Array.from({ length: shape[0]! * shape[1]! }, () => Math.floor(random.uniform() * 255) - 127),
  );
};
const stats = (backend: Backend, count: number) =>
  backend.tensor(
    "float32",
    [count],
    Float32Array.from({ length: count }, (_, i) => 0.5 + i / 8),
  );
const weight = (backend: Backend, nested: boolean) => quantizeOnHost(backend, nested);

async function quantizeOnHost(backend: Backend, nested: boolean) {
  using x = matrix(referenceBackend());
  using quantized = await quantize(x, { format: "nf4", nested });
  return quantized.to(backend);
}

const step = {
  step: 2,
  lr: 1e-2,
  beta1: 0.9,
  beta2: 0.99,
  beta3: 0.999,
  alpha: 5,
  eps: 1e-8,
  weightDecay: 0.01,
  gradScale: 1,
  maxUnorm: 0,
  skipZeros: false,
};

const quantizers = ["nf4", "fp4"].map(
  (format): Case<"quantize4bit"> => ({
    op: "quantize4bit",
    exact: true,
    build: async (b) => ({ x: matrix(b), format, blockSize: 64 }),
  }),
);

const cases: readonly Case[] = [
  ...quantizers,
  { op: "dequantize4bit", exact: true, build: async (b) => ({ weight: await weight(b, false), dtype: "bfloat16" }) },
  { op: "dequantize4bit", exact: true, build: async (b) => ({ weight: await weight(b, true), dtype: "float32" }) },
  { op: "quantizeBlockwise", exact: true, build: async (b) => ({ x: matrix(b), code: codebook(b), blockSize: 256 }) },
  {
    op: "dequantizeBlockwise",
    exact: true,
    build: async (b) => ({
      codes: b.tensor(
        "uint8",
        [512],
        Uint8Array.from({ length: 512 }, (_, i) => i & 255),
      ),
      absmax: stats(b, 2),
      code: codebook(b),
      blockSize: 256,
      dtype: "float16",
    }),
  },
  {
    op: "gemm4bit",
    exact: false,
    build: async (b) => ({ x: matrix(b, [1, columns]), weight: await weight(b, false) }),
  },
  { op: "gemm4bit", exact: false, build: async (b) => ({ x: matrix(b, [3, columns]), weight: await weight(b, true) }) },
  { op: "gemm", exact: false, build: async (b) => ({ x: matrix(b, [3, columns]), weight: matrix(b) }) },
  { op: "int8VectorwiseQuant", exact: true, build: async (b) => ({ x: matrix(b), threshold: 0.9 }) },
  {
    op: "int8VectorwiseDequant",
    exact: true,
    build: async (b) => ({ q: integers(b, [4, 32]), rowStats: stats(b, 4) }),
  },
  { op: "int8LinearMatmul", exact: true, build: async (b) => ({ a: integers(b, [3, 64]), b: integers(b, [5, 64]) }) },
  {
    op: "int8ScaledMm",
    exact: false,
    build: async (b) => ({
      a: integers(b, [3, 64]),
      b: integers(b, [5, 64]),
      rowStats: stats(b, 3),
      colStats: stats(b, 5),
      dtype: "float32",
    }),
  },
  {
    op: "optimizerUpdate32bit",
    exact: false,
    build: async (b) => ({
      optimizer: "adamw",
      param: matrix(b),
      grad: matrix(b),
      state1: b.zeros("float32", [rows, columns]),
      state2: b.zeros("float32", [rows, columns]),
      step,
    }),
  },
  {
    op: "optimizerUpdate8bitBlockwise",
    exact: false,
    build: async (b) => ({
      optimizer: "lion",
      param: matrix(b),
      grad: matrix(b),
      state1: b.zeros("uint8", [rows, columns]),
      code1: codebook(b),
      absmax1: b.zeros("float32", [4]),
      blockSize: 256,
      step,
    }),
  },
] as readonly Case[];

/** Runs every case the device has a kernel for. Throws SELF_TEST_FAILED naming kernel, variant and the first difference. */
export async function selfTest(device: Device, detection: Detection): Promise<OpenReport["selfTest"]> {
  if (device.name === "reference") return { cases: 0, ms: 0, cached: false };
  if (hasPassed(device, detection)) return { cases: 0, ms: 0, cached: true };
  const start = performance.now();
  const backend = createBackend(device, {
    chosen: device.name,
    skipped: [],
    selfTest: { cases: 0, ms: 0, cached: false },
  });
  let ran = 0;
  for (const one of cases) ran += (await runCase(backend, one)) ? 1 : 0;
  rememberPass(device, detection);
  return { cases: ran, ms: performance.now() - start, cached: false };
}

/** False when the device has no kernel of its own for the case. */
async function runCase(backend: Backend, { op, build, exact }: Case): Promise<boolean> {
  const args = await build(backend);
  const explanation = backend.explain(op, args as never);
  if (!("variant" in explanation) || explanation.composed) return false;
  const expected = await run(referenceBackend(), op, await build(referenceBackend()));
  const found = await run(backend, op, args);
  for (const [name, { dtype, data }] of Object.entries(expected)) {
    const index = firstDifference(dtype, data, found[name]!.data, exact);
    if (index >= 0) throw failure(backend, op, explanation, name, index);
  }
  return true;
}

interface Result {
  readonly dtype: DType;
  readonly data: ArrayLike<number> & ArrayBufferView;
}

/** Runs an operation and reads its outputs and the parameter it updates. */
async function run(backend: Backend, op: OpName, args: object): Promise<Record<string, Result>> {
  const out = backend.kernels[op](args as never) as Record<string, Tensor>;
  const watched = "param" in args ? { ...out, param: args.param as Tensor } : out;
  const results: Record<string, Result> = {};
  for (const [name, tensor] of Object.entries(watched))
    results[name] = { dtype: tensor.dtype, data: await tensor.read() };
  for (const tensor of [...Object.values(out), ...tensorsIn(args)]) tensor.dispose();
  return results;
}

const tensorsIn = (args: object): Disposer[] =>
  Object.values(args).filter(
    (value): value is Disposer => typeof value === "object" && value !== null && "dispose" in value,
  );

type Disposer = Pick<Tensor, "dispose">;

function firstDifference(dtype: DType, expected: Result["data"], found: Result["data"], exact: boolean): number {
  if (exact || dtype === "int8" || dtype === "uint8" || dtype === "int32") {
    const [a, b] = [bytesOf(expected), bytesOf(found)];
    return a.findIndex((byte, i) => byte !== b[i]);
  }
  const [a, b] = [toFloat32(dtype as Float, expected as never), toFloat32(dtype as Float, found as never)];
  const scale = a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return a.findIndex((value, i) => !(Math.abs(value - b[i]!) <= bound * scale));
}

function failure(
  backend: Backend,
  op: OpName,
  { kernel, variant }: { kernel: string; variant: string },
  output: string,
  index: number,
): Error {
  return halfbyteError(
    "SELF_TEST_FAILED",
    `Kernel ${kernel} (${variant}) of ${backend.name} gives a wrong ${output} for ${op}, first at byte or element ${index}.`,
    {
      details: { kernel, variant, output, index },
    },
  );
}
