/** Decoding and products that the gpu.js tier runs in a page and the reference kernels in Node, from the same seeds. */
import {
  type Backend,
  createRandom,
  dequantize,
  type Float,
  fromFloat32,
  quantize,
  referenceBackend,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";

export interface Decoding {
  readonly format: string;
  readonly size: number;
  readonly nested: boolean;
  readonly dtype: Float;
}

export interface Product {
  /** Undefined: a dense weight. */
  readonly format?: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly nested?: boolean;
  readonly dtype: Float;
  readonly bias?: boolean;
  readonly transpose?: boolean;
}

const dtypes: readonly Float[] = ["float32", "float16", "bfloat16"];

export const decodings: readonly Decoding[] = ["nf4", "fp4", "af4"].flatMap((format) =>
  [1, 7, 1031, 70_001].map((size, i) => ({ format, size, nested: i % 2 === 1, dtype: dtypes[i % 3]! })),
);

/** Rows in whole words and not, blocks that straddle rows, parts of rows, more rows than a texture is high. */
export const products: readonly Product[] = [
  { format: "nf4", m: 1, n: 48, k: 256, dtype: "float32", bias: true },
  { format: "nf4", m: 1, n: 300, k: 4096, dtype: "float16", nested: true },
  { format: "fp4", m: 3, n: 33, k: 130, dtype: "float32" },
  { format: "af4", m: 5, n: 9, k: 37, dtype: "bfloat16", bias: true },
  { format: "nf4", m: 2, n: 3, k: 65_536, dtype: "float32", nested: true },
  { format: "nf4", m: 2, n: 3, k: 65_536, dtype: "bfloat16" },
  { format: "nf4", m: 2, n: 2500, k: 64, dtype: "float32", bias: true },
  { format: "nf4", m: 2100, n: 3, k: 64, dtype: "float32" },
  { format: "nf4", m: 4, n: 70, k: 96, dtype: "float32", transpose: true },
  { format: "fp4", m: 1, n: 2100, k: 600, dtype: "float16", transpose: true, nested: true },
  { m: 3, n: 40, k: 129, dtype: "float32", bias: true },
  { m: 2, n: 30, k: 70, dtype: "bfloat16", transpose: true },
];

function normals(count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

const rounded = (dtype: Float, values: Float32Array): Float32Array => toFloat32(dtype, fromFloat32(dtype, values));

async function widened(tensor: Tensor<Float>): Promise<Float32Array> {
  using read = tensor;
  return toFloat32(read.dtype, (await read.read()) as Float32Array);
}

export async function decode(backend: Backend, { format, size, nested, dtype }: Decoding): Promise<Float32Array> {
  using x = referenceBackend().tensor("float32", [size], normals(size, size));
  using weight = await quantize(x, { format, nested });
  using moved = await weight.to(backend);
  return await widened(dequantize(moved, { dtype }));
}

/** The product; with `terms` in float32 without bias, of magnitudes: what a bound of its error grows with. */
export async function multiply(backend: Backend, job: Product, terms = false): Promise<Float32Array> {
  const [inner, outer] = job.transpose ? [job.n, job.k] : [job.k, job.n];
  const values = rounded(job.dtype, normals(job.m * inner, 2));
  const dtype = terms ? "float32" : job.dtype;
  using x = backend.tensor(dtype, [job.m, inner], fromFloat32(dtype, terms ? values.map(Math.abs) : values));
  using bias = job.bias && !terms ? backend.tensor(dtype, [outer], fromFloat32(dtype, normals(outer, 3))) : null;
  const args = { x, transpose: job.transpose ?? false, ...(bias && { bias }) };
  using weight = await (job.format ? quantizedWeight(backend, job, terms) : denseWeight(backend, job, terms));
  const out =
    "scales" in weight ? backend.kernels.gemm4bit({ ...args, weight }) : backend.kernels.gemm({ ...args, weight });
  return await widened(out.out);
}

async function quantizedWeight(backend: Backend, { format, n, k, nested = false }: Product, terms: boolean) {
  using dense = referenceBackend().tensor("float32", [n, k], normals(n * k, 4));
  using weight = await quantize(dense, { format: format!, nested });
  if (!terms) return await weight.to(backend);
  const decoded = await widened(dequantize(weight, { dtype: "float32" }));
  return backend.tensor("float32", [n, k], decoded.map(Math.abs));
}

function denseWeight(backend: Backend, { n, k, dtype }: Product, terms: boolean): Tensor<Float> {
  const values = rounded(dtype, normals(n * k, 4));
  return terms
    ? backend.tensor("float32", [n, k], values.map(Math.abs))
    : backend.tensor(dtype, [n, k], fromFloat32(dtype, values));
}
