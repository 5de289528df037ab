/** Memory that runs out: a typed error at once, nothing left behind, and a backend that goes on. On the emulated device, which has as much as it is told. */
import type { Backend, Tensor } from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

const megabyte = 1 << 20;

beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});
afterEach(() => {
  delete process.env["HALFBYTE_EMULATED_POOLS"];
  delete process.env["HALFBYTE_EMULATED_MEMORY"];
});

/** Tensors of this size until there is no room; the error of the one that did not fit. */
function fill(backend: Backend, bytes: number): { held: Tensor[]; refusal: unknown } {
  const held: Tensor[] = [];
  try {
    for (;;) held.push(backend.zeros("uint8", [bytes]));
  } catch (refusal) {
    return { held, refusal };
  }
}

describe.each(["1", "0"])("a device of 16 MB, memory pools: %s", (pools) => {
  beforeEach(() => {
    process.env["HALFBYTE_EMULATED_POOLS"] = pools;
    process.env["HALFBYTE_EMULATED_MEMORY"] = `${16 * megabyte}`;
  });

  it("refuses what does not fit, and takes it once something was freed", async () => {
    await using backend = await openEmulated();
    const { held, refusal } = fill(backend, megabyte);
    expect(refusal).toMatchObject({ code: "OUT_OF_MEMORY", details: { expected: megabyte } });
    expect(held.length).toBeGreaterThanOrEqual(14);
    expect(backend.memory()).toMatchObject({ tensors: held.length, bytes: held.length * megabyte });

    held.pop()!.dispose();
    const bytes = Uint8Array.from({ length: megabyte }, (_, i) => i * 7);
    using again = backend.tensor("uint8", [megabyte], bytes);
    expect(Buffer.compare(await again.read(), bytes)).toBe(0);
    await backend.synchronize();
    for (const tensor of held) tensor.dispose();
  });

  it("gives kept pieces back for one large piece", async () => {
    await using backend = await openEmulated();
    const { held } = fill(backend, megabyte);
    for (const tensor of held) tensor.dispose();
    // No kept block is that large: the device must have the small ones back first.
    using large = backend.zeros("uint8", [12 * megabyte]);
    expect((await large.read()).every((byte) => byte === 0)).toBe(true);
    expect(fill(backend, 8 * megabyte).refusal).toMatchObject({ code: "OUT_OF_MEMORY" });
  });

  it("an operation whose outputs do not fit leaves nothing behind", async () => {
    await using backend = await openEmulated();
    using x = backend.zeros("float32", [megabyte]);
    const held = [megabyte, megabyte / 16].flatMap((bytes) => fill(backend, bytes).held);
    const before = backend.memory();
    const quantize = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    for (let i = 0; i < 3; i++) expect(quantize).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    expect(backend.memory()).toEqual(before);

    held.shift()!.dispose();
    const { codes, absmax } = quantize();
    expect((await codes.read()).length).toBe(megabyte / 2);
    for (const tensor of [codes, absmax, ...held]) tensor.dispose();
  });

  it("a launch that finds no scratch memory is refused, and runs once there is some", async () => {
    await using backend = await openEmulated();
    // Rows of odd length are copied to aligned ones first.
    const [n, k] = [512, 1001];
    using a = backend.tensor("int8", [16, k], new Int8Array(16 * k).fill(1));
    using b = backend.tensor("int8", [n, k], new Int8Array(n * k).fill(2));
    const held = [megabyte, megabyte / 16].flatMap((bytes) => fill(backend, bytes).held);
    const before = backend.memory();
    const multiply = () => backend.kernels.int8LinearMatmul({ a, b }).out;
    for (let i = 0; i < 3; i++) expect(multiply).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    expect(backend.memory()).toEqual(before);

    held.shift()!.dispose();
    using out = multiply();
    expect((await out.read()).every((sum) => sum === 2 * k)).toBe(true);
    for (const tensor of held) tensor.dispose();
  });

  it("a request beyond any device is refused before it is asked for", async () => {
    await using backend = await openEmulated();
    const { device } = backend as unknown as { device: { allocate(bytes: number, zeroed: boolean): unknown } };
    for (const bytes of [2 ** 40, 2 ** 53, Number.MAX_SAFE_INTEGER])
      expect(() => device.allocate(bytes, false)).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    using small = backend.zeros("uint8", [3]);
    expect(await small.read()).toEqual(new Uint8Array(3));
  });
});

describe("bad input", () => {
  it("tensors without elements are tensors", async () => {
    await using backend = await openEmulated();
    using empty = backend.zeros("float32", [0]);
    using given = backend.tensor("float16", [4, 0], new Uint16Array(0));
    expect([(await empty.read()).length, (await given.read()).length]).toEqual([0, 0]);
    const { codes, absmax } = backend.kernels.quantize4bit({ x: empty, format: "nf4", blockSize: 64 });
    expect([(await codes.read()).length, (await absmax.read()).length]).toEqual([0, 0]);
    for (const tensor of [codes, absmax]) tensor.dispose();
    await backend.synchronize();
  });

  it("freed tensors and those of another backend are refused before anything is launched", async () => {
    await using backend = await openEmulated();
    await using other = await openEmulated();
    const freed = backend.zeros("float32", [64]);
    freed.dispose();
    using foreign = other.zeros("float32", [64]);
    const quantize = (x: Tensor<"float32">) => () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    expect(quantize(freed)).toThrow(expect.objectContaining({ code: "TENSOR_DISPOSED" }));
    expect(quantize(foreign)).toThrow(expect.objectContaining({ code: "WRONG_BACKEND" }));
    await expect(freed.read()).rejects.toMatchObject({ code: "TENSOR_DISPOSED" });
    await backend.synchronize();
  });

  it("a profile without a kernel is refused, and the device goes on", async () => {
    await using backend = await openEmulated();
    using x = backend.zeros("float32", [64]);
    const quantize = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64, profile: "cpu" });
    expect(quantize).toThrow(expect.objectContaining({ code: "UNSUPPORTED_KERNEL" }));
    await backend.synchronize();
    expect((await x.read()).length).toBe(64);
  });
});
