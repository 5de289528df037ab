/** gemm in every variant that the adapter has, at shapes where tiles, words and rows end beside each other. */
import { type Backend, type Float, openBackend, toFloat32 } from "@halfbyte/core";
import { expect, test } from "vitest";
import { webgpu } from "../src/index.js";
import { variantBackends } from "./every-variant.js";
import { openOrSkip, skipWithoutAdapter } from "./open.js";
import { type Expected, expectProduct, floats, normals, productOf, rounded, type Shape } from "./product.js";

const operations = ["gemm"] as const;

interface Job extends Shape {
  readonly dtype?: Float;
  readonly weight?: Float;
  readonly bias?: Float;
}

interface Prepared {
  readonly job: Job;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly expected: Expected;
}

function prepare(job: Job): Prepared {
  const { m, n, k, dtype = "float32", weight = dtype, transpose = false } = job;
  const x = rounded(dtype, normals(m * (transpose ? n : k), 1));
  const w = rounded(weight, normals(n * k, 2));
  const bias = job.bias && rounded(job.bias, normals(transpose ? k : n, 3));
  const expected = productOf({ m, n, k, transpose, x, w, bias }, dtype, dtype === "float32" ? "exact" : "fast");
  return { job, x, w, bias, expected };
}

/** False where the backend has no kernel of its own for the job. */
async function runs(
  backend: Backend,
  { job, x: values, w, bias: addend, expected }: Prepared,
  what: string,
): Promise<boolean> {
  const { m, n, k, dtype = "float32", transpose = false } = job;
  using x = floats(backend, dtype, [m, transpose ? n : k], values);
  using weight = floats(backend, job.weight ?? dtype, [n, k], w);
  using bias = job.bias && floats(backend, job.bias, [transpose ? k : n], addend!);
  const args = { x, weight, transpose, ...(bias && { bias }) };
  if (!("variant" in backend.explain("gemm", args))) return false;
  using out = backend.kernels.gemm(args).out;
  expectProduct(toFloat32(dtype, (await out.read()) as Float32Array), expected, `${what}, ${JSON.stringify(job)}`);
  return true;
}

const jobs: readonly Job[] = [
  ...[1, 2, 5, 8, 9, 16, 17, 65, 130].map((m) => ({ m, n: 70, k: 96 })),
  ...[1, 5, 40].flatMap((m) => [1, 2, 65, 129].map((n) => ({ m, n, k: 48 }))),
  ...[1, 5, 20].flatMap((m) => [1, 2, 7, 31, 33, 160].map((k) => ({ m, n: 6, k }))),
  ...[1, 5, 20].map((m) => ({
    m,
    n: 11,
    k: 64,
    dtype: "float16" as const,
    weight: "float32" as const,
    bias: "bfloat16" as const,
  })),
  ...[1, 5, 20].map((m) => ({
    m,
    n: 10,
    k: 64,
    dtype: "bfloat16" as const,
    weight: "float16" as const,
    bias: "float32" as const,
  })),
  ...[1, 5, 20].map((m) => ({ m, n: 9, k: 33, weight: "bfloat16" as const, bias: "float16" as const })),
  ...[1, 5, 21].flatMap((m) => [33, 64].map((k) => ({ m, n: 21, k, transpose: true, bias: "float32" as const }))),
  { m: 0, n: 5, k: 64 },
  { m: 2, n: 0, k: 64 },
  { m: 2, n: 5, k: 0, bias: "float32" },
];

test("every variant is within the bounds at every shape", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const variants = variantBackends(device, "gemm");
  const counts = variants.map(() => 0);
  for (const job of jobs) {
    const prepared = prepare(job);
    for (const [i, { name, backend: one }] of variants.entries())
      counts[i]! += (await runs(one, prepared, name)) ? 1 : 0;
  }
  for (const { backend: one } of variants) await one.dispose();
  for (const [i, { name }] of variants.entries()) expect(counts[i], name).toBeGreaterThan(5);
  expect(device.liveBuffers).toBe(0);
}, 600_000);

const largeJobs: readonly Job[] = [
  { m: 3, n: 301, k: 1024 },
  { m: 130, n: 300, k: 512, dtype: "float16" },
  { m: 9, n: 401, k: 333, dtype: "bfloat16", weight: "float32", bias: "bfloat16" },
  { m: 50, n: 401, k: 500, transpose: true, dtype: "float16", bias: "float32" },
];

test("tensors larger than a piece", async (context) => {
  await skipWithoutAdapter(context);
  // Without features: variants do not differ in their slices, and fewer are tested when it opens.
  await using backend = await openBackend([webgpu({ operations, tier: "t0", pieceBytes: 65_536 })], {
    order: ["webgpu"],
  });
  for (const job of largeJobs) expect(await runs(backend, prepare(job), "pieces"), JSON.stringify(job)).toBe(true);
}, 300_000);
