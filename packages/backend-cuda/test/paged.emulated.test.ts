/** Optimizer states in memory of the host, brought to the emulated device in pieces: the same bits, everywhere a piece may end. */
import { type Backend, openBackend, reference, type Tensor } from "@halfbyte/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deviceAddressOf } from "../src/device-memory.js";
import { noEmulation, openEmulated } from "./emulated.js";
import { type OptimizerCase, optimizers, runStep } from "./optimizer-steps.js";

let cuda: Backend | undefined;

beforeAll(async () => {
  // Read once.
  process.env["HALFBYTE_EMULATED_DEVICES"] = "2";
  if (!noEmulation) cuda = await openEmulated();
});
afterAll(async () => {
  delete process.env["HALFBYTE_EMULATED_DEVICES"];
  await cuda?.dispose();
});
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

const both = ["state1", "state2"];

/** The emulated device has pieces of 1024 elements of f32 and 4096 codes. */
async function expectSamePaged(one: OptimizerCase, paged: readonly string[] = both): Promise<void> {
  expect(await runStep(cuda!, { ...one, paged })).toEqual(await runStep(cuda!, one));
}

describe.each(optimizers)("%s with paged states", (optimizer) => {
  it("32 bits: one piece, several, and an odd rest", async () => {
    for (const size of [1, 1024, 3077]) await expectSamePaged({ optimizer, bits: 32, size });
  });

  it("8 bits: one piece, several, and an odd rest", async () => {
    for (const size of [1, 4096, 10_251]) await expectSamePaged({ optimizer, bits: 8, size });
  });

  it("trust ratios: the norms of all pieces", async () => {
    await expectSamePaged({ optimizer, bits: 32, size: 17_001, step: { maxUnorm: 1e-3 } });
  });
});

describe("paged states", () => {
  it.for([100, 96, 2048, 10_000])("in blocks of %i, which lie in one piece each", async (blockSize) => {
    await expectSamePaged({ optimizer: "ademamix", bits: 8, size: 10_251, blockSize });
  });

  it("of one of two, the other on the device", async () => {
    for (const bits of [8, 32] as const)
      for (const name of both) await expectSamePaged({ optimizer: "adam", bits, size: 5000 }, [name]);
  });

  it("with 16-bit parameters, profile cuda and skipped zeros", async () => {
    const step = { skipZeros: true };
    for (const dtype of ["float16", "bfloat16"] as const)
      for (const bits of [8, 32] as const)
        await expectSamePaged({ optimizer: "adam", bits, size: 5003, dtype, profile: "cuda", step });
  });

  it("go through many steps, each from what the one before wrote", async () => {
    const after = async (paged: boolean) => {
      const size = 5000;
      const param = cuda!.tensor("float32", [size], new Float32Array(size).fill(1));
      const state1 = cuda!.zeros("float32", [size], { paged });
      for (let step = 1; step <= 6; step++) {
        using grad = cuda!.tensor("float32", [size], new Float32Array(size).fill(step));
        const args = { optimizer: "momentum" as const, param, grad, state1 };
        cuda!.kernels.optimizerUpdate32bit({ ...args, step: { ...plain, step } }).updateNorm.dispose();
      }
      const found = { param: await param.read(), state1: await state1.read() };
      param.dispose();
      state1.dispose();
      return found;
    };
    expect(await after(true)).toEqual(await after(false));
  });
});

const plain = {
  lr: 0.1,
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

describe("paged tensors", () => {
  const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => (i * 31) ^ (i >> 8));

  it("hold what was written, in queue order, adopted or not", async () => {
    for (const adopt of [false, true]) {
      const given = bytes.slice();
      using tensor = cuda!.tensor("uint8", [bytes.length], given, { adopt, paged: true });
      if (!adopt) given.fill(0);
      expect(Buffer.compare(await tensor.read(), bytes)).toBe(0);
    }
  });

  it("are zero where zeros were asked for, and of any size", async () => {
    for (const size of [0, 1, 1001]) {
      using tensor = cuda!.zeros("float32", [size], { paged: true });
      expect(await tensor.read()).toEqual(new Float32Array(size));
    }
  });

  it("are counted, and gone when they are disposed", async () => {
    const before = cuda!.memory();
    const tensors = Array.from({ length: 5 }, () => cuda!.zeros("uint8", [1000], { paged: true }));
    expect(cuda!.memory()).toMatchObject({ tensors: before.tensors + 5, bytes: before.bytes + 5000 });
    for (const tensor of tensors) tensor.dispose();
    await cuda!.synchronize();
    expect(cuda!.memory()).toEqual(before);
  });

  it("may be disposed while an update is under way", async () => {
    const size = 10_000;
    using param = cuda!.zeros("float32", [size]);
    using grad = cuda!.tensor("float32", [size], new Float32Array(size).fill(1));
    for (let i = 0; i < 3; i++) {
      using state1 = cuda!.zeros("float32", [size], { paged: true });
      const args = { optimizer: "momentum" as const, param, grad, state1, step: { ...plain, step: 1 } };
      cuda!.kernels.optimizerUpdate32bit(args).updateNorm.dispose();
    }
    expect((await param.read()).every((value) => Math.abs(value + 0.3) < 1e-6)).toBe(true);
  });

  it("are refused by other operations, before anything runs", async () => {
    using x = cuda!.zeros("float32", [64], { paged: true });
    using ordinary = cuda!.zeros("float32", [64]);
    const args = { format: "nf4", blockSize: 64 };
    expect(cuda!.explain("quantize4bit", { x, ...args })).toMatchObject({ code: "UNSUPPORTED_KERNEL" });
    expect(() => cuda!.kernels.quantize4bit({ x, ...args })).toThrow(/"x" is paged/);
    expectRefused(() => cuda!.kernels.quantize4bit({ x: ordinary, ...args }, { absmax: paged([1]) }), /"absmax"/);
    expectRefused(() => update({ param: x, grad: ordinary }), /"param"/);
    expectRefused(() => update({ param: ordinary, grad: x }), /"grad"/);
    using weight = cuda!.zeros("uint8", [32], { paged: true });
    using absmax = cuda!.zeros("float32", [1]);
    const scales = { kind: "block" as const, absmax };
    const parts = { format: "nf4", shape: [1, 64], dtype: "float32" as const, blockSize: 64, codes: weight, scales };
    expectRefused(() => cuda!.kernels.dequantize4bit({ weight: parts as never, dtype: "float32" }), /"codes"/);
    await cuda!.synchronize();
  });

  it("have no address on the device", () => {
    using tensor = cuda!.zeros("float32", [4], { paged: true });
    expect(() => deviceAddressOf(tensor)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  const paged = (shape: number[]) => cuda!.zeros("float32", shape, { paged: true });

  function update(tensors: { param: Tensor<"float32">; grad: Tensor<"float32"> }) {
    using state1 = cuda!.zeros("float32", [64]);
    cuda!.kernels.optimizerUpdate32bit({ optimizer: "lion", ...tensors, state1, step: { ...plain, step: 1 } });
  }

  function expectRefused(call: () => unknown, name: RegExp): void {
    expect(call).toThrow(expect.objectContaining({ code: "UNSUPPORTED_KERNEL", message: expect.stringMatching(name) }));
  }
});

describe("a device that has no room for the states", () => {
  // Of its own: the other tests keep memory of the first. Parameter and gradient take half of it, the states the other half.
  beforeEach(() => {
    process.env["HALFBYTE_EMULATED_MEMORY"] = String(256 << 10);
  });
  afterEach(() => delete process.env["HALFBYTE_EMULATED_MEMORY"]);

  const one: OptimizerCase = { optimizer: "adam", bits: 32, size: 16_384 };

  it("says so", async () => {
    await using small = await openEmulated({ device: 1 });
    await expect(runStep(small, one)).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
  });

  it("updates paged ones", async () => {
    await using small = await openEmulated({ device: 1 });
    const found = await runStep(small, { ...one, paged: both });
    delete process.env["HALFBYTE_EMULATED_MEMORY"];
    expect(found).toEqual(await runStep(cuda!, one));
  });
});

describe("a device without paging", () => {
  it("ignores the word", async () => {
    await using backend = await openBackend([reference()], { order: ["reference"] });
    using tensor = backend.zeros("float32", [3], { paged: true });
    expect(await tensor.read()).toEqual(new Float32Array(3));
  });
});
