/** gemm4bit in every variant that the adapter has, at shapes where tiles, words, rows and blocks end beside each other. */
import {
  type Accuracy,
  type Backend,
  createQuantizedTensor,
  dequantize,
  deviceOf,
  type Float,
  type OpName,
  openBackend,
  type QuantizedTensor,
  quantize,
  referenceBackend,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { expect, type TestContext, test } from "vitest";
import type { WebgpuDevice } from "../src/device.js";
import { type WebgpuOptions, webgpu } from "../src/index.js";
import { variantBackends } from "./every-variant.js";
import { openOrSkip, skipWithoutAdapter } from "./open.js";
import { type Expected, expectProduct, floats, normals, productOf, rounded, type Shape } from "./product.js";

const operations = ["gemm4bit"] as const;

interface Job extends Shape {
  readonly format?: string;
  readonly dtype?: Float;
  readonly bias?: Float;
  readonly blockSize?: number;
  readonly nested?: boolean;
  readonly accuracy?: Accuracy;
}

const read = async (tensor: Tensor): Promise<Float32Array> => {
  using owned = tensor;
  return toFloat32(owned.dtype as Float, (await owned.read()) as Float32Array);
};

/** On the reference backend. `random`: a table that no format has. */
async function weightOf({ n, k, format = "nf4", blockSize = 64, nested = false }: Job): Promise<QuantizedTensor> {
  const host = referenceBackend();
  using dense = host.tensor("float32", [n, k], normals(n * k, n + k));
  if (format !== "random") return quantize(dense, { format, blockSize, nested });
  const { codes, scales } = await quantize(dense, { format: "nf4", blockSize, nested });
  const code = host.tensor("float32", [16], normals(16, 99));
  return createQuantizedTensor({ format: "nf4", shape: [n, k], dtype: "float32", blockSize, codes, scales, code });
}

interface Prepared {
  readonly job: Job;
  readonly host: QuantizedTensor;
  readonly x: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly expected: Expected;
}

async function prepare(job: Job): Promise<Prepared> {
  const { m, n, k, dtype = "float32", transpose = false } = job;
  const host = await weightOf(job);
  const x = rounded(dtype, normals(m * (transpose ? n : k), 1));
  const bias = job.bias && rounded(job.bias, normals(transpose ? k : n, 2));
  const w = await read(dequantize(host, { dtype: "float32" }));
  const accuracy = job.accuracy ?? (dtype === "float32" ? "exact" : "fast");
  return { job, host, x, bias, expected: productOf({ m, n, k, transpose, x, w, bias }, dtype, accuracy) };
}

/** False where the backend has no kernel of its own for the job. */
async function runs(
  backend: Backend,
  { job, host, x: values, bias: addend, expected }: Prepared,
  what: string,
): Promise<boolean> {
  const { m, n, k, dtype = "float32", transpose = false, accuracy } = job;
  using weight = await host.to(backend);
  using x = floats(backend, dtype, [m, transpose ? n : k], values);
  using bias = job.bias && floats(backend, job.bias, [transpose ? k : n], addend!);
  const args = { x, weight, transpose, ...(bias && { bias }), ...(accuracy && { accuracy }) };
  const chosen = backend.explain("gemm4bit", args);
  if (!("variant" in chosen) || chosen.composed) return false;
  expectProduct(await read(backend.kernels.gemm4bit(args).out), expected, `${what}, ${JSON.stringify(job)}`);
  return true;
}

const dtypes: readonly Float[] = ["float32", "float16", "bfloat16"];

/** Every one has a kernel of its own: the last one takes all. */
const jobs: readonly Job[] = [
  ...[1, 2, 5, 8, 9, 15, 16, 17, 33, 65, 130].map((m) => ({ m, n: 70, k: 96 })),
  ...[1, 5, 40].flatMap((m) => [1, 2, 16, 17, 65, 129].map((n) => ({ m, n, k: 64 }))),
  ...[1, 2, 7, 31, 32, 33, 127, 160, 4128].flatMap((k) => [1, 5, 20].map((m) => ({ m, n: 6, k }))),
  ...[32, 64, 128, 256, 512, 1024, 2048, 4096].flatMap((blockSize) =>
    [1, 5, 12].map((m) => ({ m, n: 9, k: 160, blockSize })),
  ),
  ...(["nf4", "fp4", "af4", "random"] as const).flatMap((format) =>
    [1, 5, 18].map((m) => ({ m, n: 10, k: 224, format })),
  ),
  ...dtypes.flatMap((dtype, i) =>
    [1, 5, 21].map((m) => ({ m, n: 10 + i, k: 128, dtype, nested: i > 0, bias: dtypes[(i + m) % 3]! })),
  ),
  ...[1, 5, 21].flatMap((m) => [33, 64, 130].map((k) => ({ m, n: 21, k, transpose: true, bias: "float32" as const }))),
  ...[1, 2, 20].map((m) => ({ m, n: 300, k: 100, nested: true, dtype: "float16" as const })),
  { m: 1, n: 3, k: 65_536 },
  { m: 5, n: 3, k: 65_536, dtype: "bfloat16", nested: true, bias: "float16" },
  { m: 12, n: 3, k: 65_536 },
  ...[1, 5, 12].flatMap((m) => [1, 66].map((n) => ({ m, n, k: 1024, accuracy: "turbo" as const }))),
  { m: 6, n: 66, k: 2048, accuracy: "turbo", format: "random", nested: true, bias: "float16" },
  { m: 12, n: 10, k: 256, accuracy: "turbo", dtype: "bfloat16", format: "fp4", blockSize: 32 },
  { m: 2, n: 10, k: 96, accuracy: "turbo" },
  { m: 0, n: 5, k: 64 },
  { m: 2, n: 0, k: 64 },
  { m: 2, n: 5, k: 0, bias: "float32" },
  { m: 11, n: 4, k: 0 },
];

test("every variant is within the bounds at every shape", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const variants = variantBackends(device, "gemm4bit");
  const counts = variants.map(() => 0);
  for (const job of jobs) {
    const prepared = await prepare(job);
    for (const [i, { name, backend: one }] of variants.entries())
      counts[i]! += (await runs(one, prepared, name)) ? 1 : 0;
  }
  for (const { backend: one } of variants) await one.dispose();
  for (const [i, { name }] of variants.entries()) expect(counts[i], name).toBeGreaterThan(5);
  expect(device.liveBuffers).toBe(0);
}, 600_000);

async function open(context: TestContext, options: WebgpuOptions): Promise<Backend> {
  await skipWithoutAdapter(context);
  return openBackend([webgpu({ operations, ...options })], { order: ["webgpu"] });
}

const largeJobs: readonly Job[] = [
  { m: 1, n: 300, k: 1024 },
  { m: 3, n: 301, k: 1024, nested: true },
  { m: 40, n: 301, k: 1024, nested: true, bias: "float32" },
  { m: 130, n: 300, k: 1024, dtype: "float16" },
  { m: 40, n: 301, k: 1024, accuracy: "turbo", nested: true },
  { m: 300, n: 70, k: 160, dtype: "bfloat16", blockSize: 4096 },
  { m: 9, n: 401, k: 777, dtype: "float16", bias: "bfloat16" },
  { m: 9, n: 401, k: 777, transpose: true },
  { m: 50, n: 401, k: 1000, transpose: true, dtype: "float16", nested: true, bias: "float32" },
];

test("tensors larger than a piece; a row that does not fit one is refused with the numbers", async (context) => {
  // Without features: variants do not differ in their slices, and fewer are tested when it opens.
  await using backend = await open(context, { tier: "t0", pieceBytes: 65_536 });
  for (const job of largeJobs)
    expect(await runs(backend, await prepare(job), "pieces"), JSON.stringify(job)).toBe(true);
  await expectRefusal(backend, 20_000);
  const { liveBuffers } = deviceOf(backend) as WebgpuDevice;
  expect(liveBuffers).toBe(0);
}, 300_000);

async function expectRefusal(backend: Backend, k: number): Promise<void> {
  using x = backend.zeros("float32", [1, k]);
  using host = await weightOf({ m: 1, n: 2, k });
  using weight = await host.to(backend);
  const op: OpName = "gemm4bit";
  const message = expect.stringMatching(new RegExp(`${k}.* 65536 bytes`));
  expect(backend.explain(op, { x, weight })).toMatchObject({ code: "UNSUPPORTED_KERNEL", message });
}
