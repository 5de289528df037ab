/** What the variants of gemm4bit are tested and timed with, beside core's own cases. */
import {
  type Accuracy,
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type Ops,
  quantize,
  referenceBackend,
  selfTestCase,
  type Tensor,
} from "@halfbyte/core";

type Args = Ops["gemm4bit"]["in"];

function normals(backend: Backend, dtype: Float, shape: readonly number[], seed: number): Tensor<Float> {
  const { normal } = createRandom(seed);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal());
  return backend.tensor(dtype, shape, fromFloat32(dtype, values));
}

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly format?: string;
  readonly dtype?: Float;
  readonly blockSize?: number;
  readonly nested?: boolean;
  readonly transpose?: boolean;
  readonly accuracy?: Accuracy;
}

async function build(backend: Backend, one: Case): Promise<Args> {
  const {
    m,
    n,
    k,
    format = "nf4",
    dtype = "float32",
    blockSize = 64,
    nested = false,
    transpose = false,
    accuracy,
  } = one;
  using dense = normals(referenceBackend(), "float32", [n, k], 21);
  using weight = await quantize(dense, { format, blockSize, nested });
  const args = { x: normals(backend, dtype, [m, transpose ? n : k], 22), weight: await weight.to(backend), transpose };
  return accuracy ? { ...args, accuracy } : args;
}

/** Of the largest result. Sums of 16-bit inputs are rounded once. */
const bounds: Readonly<Record<Float, number>> = { float32: 2 ** -18, float16: 2 ** -10, bfloat16: 2 ** -7 };

const oneCase = (one: Case) =>
  selfTestCase("gemm4bit", one.accuracy === "turbo" ? 2 ** -5 : bounds[one.dtype ?? "float32"], (backend) =>
    build(backend, one),
  );

export const casesOfGemm4bit = [
  oneCase({ m: 1, n: 37, k: 2080 }),
  oneCase({ m: 2, n: 34, k: 96, format: "fp4", dtype: "float16", nested: true }),
  oneCase({ m: 8, n: 5, k: 256, blockSize: 128 }),
  oneCase({ m: 20, n: 70, k: 96, nested: true }),
  oneCase({ m: 9, n: 66, k: 64, format: "fp4", dtype: "bfloat16" }),
  oneCase({ m: 3, n: 5, k: 77, format: "af4" }),
  oneCase({ m: 11, n: 9, k: 33, dtype: "float16" }),
  oneCase({ m: 1, n: 35, k: 256, accuracy: "turbo" }),
  oneCase({ m: 10, n: 18, k: 384, accuracy: "turbo", dtype: "float16", nested: true }),
  oneCase({ m: 12, n: 40, k: 50, transpose: true }),
];

/** One token, or several, and a small layer. */
export async function sampleOfGemm4bit(backend: Backend, m: number, accuracy?: Accuracy): Promise<Args> {
  return build(backend, { m, n: m > 1 ? 512 : 1024, k: 1024, ...(accuracy && { accuracy }) });
}
