/** What the gpu.js tier promises beside its results, in Node: how codes reach a kernel, refusals, faults, order, lifetimes. */
import { type Backend, createQuantizedTensor, nextTurn, type Ops, openBackend, type Tensor } from "@halfbyte/core";
import * as gpujs from "gpu.js";
import { expect, test } from "vitest";
import { webgpu } from "../src/index.js";

type Create = (source: string, settings: object) => Kernel;
type Kernel = ((...args: unknown[]) => Promise<unknown>) & { setOutput(extents: readonly number[]): Kernel };

const open = (load?: () => Promise<unknown>): Promise<Backend> =>
  openBackend([webgpu({ tier: "gpujs", ...(load && { gpujs: load }) })], { order: ["webgpu"], selfTest: false });

/** gpu.js with something in front of each call of a kernel. */
const watched = (before: (args: readonly unknown[]) => void) => async () => ({
  GPU: class extends (gpujs.GPU as unknown as new (settings: object) => { createKernel: Create }) {
    override createKernel: Create = (source, settings) => {
      const kernel = super.createKernel(source, settings);
      const call = (...args: unknown[]) => {
        before(args);
        return kernel(...args);
      };
      const setOutput = (extents: readonly number[]) => {
        kernel.setOutput(extents);
        return watching;
      };
      const watching = Object.assign(call, { setOutput });
      return watching;
    };
  },
});

/** An nf4 weight [n, k] with all codes. */
function nf4(backend: Backend, n: number, k: number) {
  const codes = backend.tensor(
    "uint8",
    [(n * k) / 2],
    new Uint8Array((n * k) / 2).map((_, i) => i * 37),
  );
  const absmax = backend.tensor("float32", [(n * k) / 64], new Float32Array((n * k) / 64).fill(2));
  const scales = { kind: "block", absmax } as const;
  return createQuantizedTensor({ format: "nf4", shape: [n, k], dtype: "float32", blockSize: 64, codes, scales });
}

const ones = (backend: Backend, ...shape: number[]) =>
  backend.tensor("float32", shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(1));

test("codes reach a kernel as 16-bit words, untouched", async () => {
  const seen: (readonly unknown[])[] = [];
  await using backend = await open(watched((args) => seen.push(args)));
  using weight = nf4(backend, 4, 128);
  const bytes = await weight.codes.read();
  using x = ones(backend, 1, 128);
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  await out.read();
  const words = seen[0]![0] as Float32Array;
  expect(words).toEqual(Float32Array.from(new Uint16Array((bytes as Uint8Array).buffer)));
  // Nothing a kernel is given is as long as the decoded weight.
  for (const args of seen) for (const value of args) expect((value as ArrayLike<number>).length ?? 0).toBeLessThan(512);
});

test("explain() names the kernel", async () => {
  await using backend = await open();
  using weight = nf4(backend, 4, 128);
  using straddling = nf4(backend, 64, 3);
  using x = ones(backend, 1, 128);
  using y = ones(backend, 1, 3);
  const variant = (args: Ops["gemm4bit"]["in"]) => backend.explain("gemm4bit", args);
  expect(variant({ x, weight })).toMatchObject({ variant: "gpujs-cpu:product4bitByWord", composed: false });
  expect(variant({ x: y, weight: straddling })).toMatchObject({ variant: "gpujs-cpu:product4bit", composed: false });
});

test("what is neither decoding nor a product is refused by name", async () => {
  await using backend = await open();
  using x = ones(backend, 64);
  const refused = { code: "UNSUPPORTED_KERNEL", message: expect.stringContaining("decodes and multiplies only") };
  expect(backend.explain("quantize4bit", { x, format: "nf4", blockSize: 64 })).toMatchObject(refused);
  expect(() => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 })).toThrow(
    expect.objectContaining(refused),
  );
});

test("a kernel that fails faults what it was to write, and nothing else", async () => {
  let failing = true;
  const fail = () => {
    if (failing) throw new Error("no more texture units");
  };
  await using backend = await open(watched(fail));
  using x = ones(backend, 2, 64);
  using broken = backend.kernels.gemm({ x, weight: x }).out;
  await expect(broken.read()).rejects.toMatchObject({
    code: "KERNEL_FAILED",
    message: expect.stringContaining("no more texture units"),
  });
  failing = false;
  using out = backend.kernels.gemm({ x, weight: x }).out;
  expect(await out.read()).toEqual(Float32Array.of(64, 64, 64, 64));
});

test("operations take effect in call order, and see what was written in between", async () => {
  await using backend = await open();
  using x = ones(backend, 1, 2);
  using weight = ones(backend, 2, 2);
  using twice = backend.kernels.gemm({ x, weight }).out;
  const results: Tensor[] = [];
  for (const factor of [1, 2, 3]) {
    using scaled = backend.tensor("float32", [2, 2], new Float32Array(4).fill(factor));
    backend.kernels.gemm({ x, weight: scaled }, { out: twice });
    results.push(backend.kernels.gemm({ x: twice, weight }).out);
  }
  expect(await Promise.all(results.map(async (out) => (await out.read())[0]))).toEqual([4, 8, 12]);
  for (const tensor of results) tensor.dispose();
});

test("empty extents give the bias, or nothing", async () => {
  await using backend = await open();
  using bias = ones(backend, 3);
  const product = (m: number, n: number, k: number, transpose = false) => {
    using x = backend.zeros("float32", [m, transpose ? n : k]);
    using weight = backend.zeros("float32", [n, k]);
    return backend.kernels.gemm({ x, weight, transpose, ...((transpose ? k : n) === 3 && { bias }) }).out.read();
  };
  expect(await product(2, 3, 0)).toEqual(new Float32Array(6).fill(1));
  expect(await product(2, 0, 3, true)).toEqual(new Float32Array(6).fill(1));
  expect(await product(0, 3, 4)).toHaveLength(0);
  expect(await product(2, 0, 4)).toHaveLength(0);
  expect(await product(0, 0, 0)).toHaveLength(0);
});

test("work gives way to the event loop", async () => {
  await using backend = await open();
  using weight = nf4(backend, 256, 4096);
  using x = ones(backend, 16, 4096);
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) nextTurn(count);
  };
  count();
  await out.read();
  isDone = true;
  expect(turns).toBeGreaterThan(3);
});

test("an aborted read rejects and nothing else changes", async () => {
  await using backend = await open();
  using x = ones(backend, 4);
  await expect(x.read({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  expect(await x.read()).toEqual(new Float32Array(4).fill(1));
});

test("a thousand products leave nothing behind", async () => {
  await using backend = await open();
  for (let i = 0; i < 1000; i++) {
    using weight = nf4(backend, 4, 64);
    using x = ones(backend, 1, 64);
    using out = backend.kernels.gemm4bit({ x, weight }).out;
    await out.read();
  }
  await backend.synchronize();
  expect(backend.memory()).toEqual({ tensors: 0, bytes: 0, packedBytes: 0, leaked: 0 });
});
