/** Tensors that nobody disposed: their memory comes back with the garbage, and is counted. */
import { expect, test } from "vitest";
import type { Backend } from "../../src/backend.js";
import { quantize } from "../../src/quantize.js";
import { backendOn, codebook, floats } from "./backends.js";
import { collectGarbage } from "./collect-garbage.js";

/** Runs `body`, lets go of what it made, and collects. */
async function leaking(body: (backend: Backend) => unknown): Promise<ReturnType<Backend["memory"]>> {
  const backend = backendOn();
  // In a call of its own, so that no temporary of this one keeps anything alive.
  await (async () => void (await body(backend)))();
  await collectGarbage(() => backend.memory().tensors === 0);
  return backend.memory();
}

const empty = { tensors: 0, bytes: 0, packedBytes: 0 };

test("an upload", async () => {
  expect(await leaking((backend) => floats(backend, [100]))).toEqual({ ...empty, leaked: 1 });
});

test("handles count one by one, and what was disposed does not", async () => {
  const memory = await leaking((backend) => {
    const tensor = floats(backend, [100]);
    tensor.reshape([10, 10]);
    tensor.reshape([50, 2]).dispose();
  });
  expect(memory).toEqual({ ...empty, leaked: 2 });
});

test("a handle that lives keeps the storage", async () => {
  const backend = backendOn();
  const kept = (() => floats(backend, [100]).reshape([10, 10]))();
  await collectGarbage(() => backend.memory().leaked > 0);
  expect(backend.memory()).toEqual({ tensors: 1, bytes: 400, packedBytes: 0, leaked: 1 });
  expect((await kept.read()).length).toBe(100);
});

test("outputs that were never read: their fault does not keep them", async () => {
  const memory = await leaking((backend) => {
    const x = floats(backend, [128]);
    const code = codebook(backend);
    const { codes, absmax } = backend.kernels.quantizeBlockwise({ x, code, blockSize: 64 });
    backend.kernels.dequantizeBlockwise({ codes, absmax, code, blockSize: 64, dtype: "float32" });
  });
  expect(memory).toEqual({ ...empty, leaked: 5 });
});

test("arguments of an operation whose outputs live", async () => {
  const backend = backendOn();
  const { codes } = (() => backend.kernels.quantize4bit({ x: floats(backend, [128]), format: "nf4", blockSize: 64 }))();
  await collectGarbage(() => backend.memory().leaked === 2);
  expect(backend.memory()).toMatchObject({ tensors: 1, bytes: 64, leaked: 2 });
  expect(codes.disposed).toBe(false);
});

test("a quantized tensor", async () => {
  const memory = await leaking(async (backend) => {
    using x = floats(backend, [4, 64]);
    await quantize(x, { format: "nf4", nested: true });
  });
  expect(memory).toEqual({ ...empty, leaked: 4 });
});

test("nothing is counted when everything was disposed", async () => {
  const memory = await leaking(async (backend) => {
    using x = floats(backend, [4, 64]);
    (await quantize(x, { format: "nf4", nested: true })).dispose();
  });
  expect(memory).toEqual({ ...empty, leaked: 0 });
});
