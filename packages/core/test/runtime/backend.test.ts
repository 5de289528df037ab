/** What a backend keeps account of: handles, memory, outputs to reuse, its own end. */
import { describe, expect, test } from "vitest";
import { uploadTensor } from "../../src/backend.js";
import { halfbyteError } from "../../src/errors.js";
import { opNames } from "../../src/kernels.js";
import type { Tensor } from "../../src/tensor.js";
import { backendOn, codebook, floats, heavy, momentumStep, normals } from "./backends.js";
import { expectCode, thrownBy } from "./failure.js";
import { fakeDevice, losableDevice, withLaunch } from "./fake-device.js";

const empty = { tensors: 0, bytes: 0, packedBytes: 0, leaked: 0 };

describe("handles and memory()", () => {
  test("reshape() shares the storage and counts a handle", async () => {
    const backend = backendOn();
    const tensor = floats(backend, [2, 3]);
    const reshaped = tensor.reshape([3, 2]);
    expect(backend.memory()).toEqual({ ...empty, tensors: 2, bytes: 24 });
    tensor.dispose();
    expect(backend.memory()).toEqual({ ...empty, tensors: 1, bytes: 24 });
    expect(await reshaped.read()).toEqual(normals(6));
    const again = reshaped.reshape([6]);
    reshaped.dispose();
    expect(await again.read()).toEqual(normals(6));
    again.dispose();
    expect(backend.memory()).toEqual(empty);
  });

  test("dispose() is idempotent, and `using` disposes", () => {
    const backend = backendOn();
    const kept = floats(backend, [4]);
    {
      using tensor = kept.reshape([2, 2]);
      tensor.dispose();
      tensor.dispose();
      expect(tensor.disposed).toBe(true);
      expect(kept.disposed).toBe(false);
    }
    expect(backend.memory()).toEqual({ ...empty, tensors: 1, bytes: 16 });
  });

  test("storage is freed once, with the last handle", () => {
    let freed = 0;
    const backend = backendOn(fakeDevice(() => ({ free: () => void freed++ })));
    const tensor = floats(backend, [4]);
    const other = tensor.reshape([2, 2]);
    tensor.dispose();
    tensor.dispose();
    expect(freed).toBe(0);
    other.dispose();
    expect(freed).toBe(1);
  });

  test("a disposed tensor cannot be used", async () => {
    const backend = backendOn();
    const x = floats(backend, [64]);
    x.dispose();
    await expectCode(x.read(), "TENSOR_DISPOSED");
    await expectCode(x.to(backendOn()), "TENSOR_DISPOSED");
    expect(thrownBy(() => x.reshape([8, 8])).code).toBe("TENSOR_DISPOSED");
    const quantize = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    expect(thrownBy(quantize).code).toBe("TENSOR_DISPOSED");
    expect(backend.memory()).toEqual(empty);
  });

  test("zeros() are zero where other tensors were", async () => {
    const backend = backendOn();
    backend.tensor("uint8", [1000], new Uint8Array(1000).fill(255)).dispose();
    expect(await backend.zeros("uint8", [1000]).read()).toEqual(new Uint8Array(1000));
  });

  test("a tensor larger than the device allows is refused, with the numbers", () => {
    const backend = backendOn(fakeDevice(() => ({ limits: { maxTensorBytes: 1000 } })));
    expect(backend.limits.maxTensorBytes).toBe(1000);
    backend.zeros("uint8", [1000]).dispose();
    const { code, details } = thrownBy(() => backend.zeros("float32", [251]));
    expect(code).toBe("OUT_OF_MEMORY");
    expect(details).toMatchObject({ found: 1004, expected: 1000 });
    using x = floats(backend, [16, 1]);
    using weight = floats(backend, [16, 1]);
    expect(thrownBy(() => backend.kernels.gemm({ x, weight })).code).toBe("OUT_OF_MEMORY");
    expect(backend.memory()).toMatchObject({ tensors: 2 });
  });

  test("uploadTensor() appends pieces, and leaves nothing when its source fails", async () => {
    const backend = backendOn();
    const bytes = new Uint8Array(normals(25).buffer);
    async function* pieces() {
      yield bytes.subarray(0, 33);
      yield bytes.subarray(33);
    }
    expect(await (await uploadTensor(backend, "float32", [25], pieces())).read()).toEqual(normals(25));
    async function* broken() {
      yield bytes.subarray(0, 33);
      throw halfbyteError("READ_FAILED", "the disk is gone");
    }
    const before = backend.memory();
    await expectCode(uploadTensor(backend, "float32", [25], broken()), "READ_FAILED");
    expect(backend.memory()).toEqual(before);
  });
});

describe("when a call fails half-way, nothing of it stays allocated", () => {
  /** Refuses the n-th allocation. */
  const failingAt = (n: number) => {
    let count = 0;
    return fakeDevice((inner) => ({
      allocate(byteLength, zeroed) {
        if (++count === n) throw halfbyteError("OUT_OF_MEMORY", "full");
        return inner.allocate(byteLength, zeroed);
      },
    }));
  };

  test("the second output does not fit", () => {
    const backend = backendOn(failingAt(3));
    using x = floats(backend, [64]);
    const before = backend.memory();
    const quantize = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    expect(thrownBy(quantize).code).toBe("OUT_OF_MEMORY");
    expect(backend.memory()).toEqual(before);
  });

  test("the launch throws; supplied outputs stay", () => {
    const run = () => {
      throw halfbyteError("KERNEL_FAILED", "no");
    };
    const backend = backendOn(fakeDevice(withLaunch("quantize4bit", () => run)));
    using x = floats(backend, [64]);
    using codes = backend.zeros("uint8", [32]);
    const before = backend.memory();
    const quantize = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }, { codes });
    expect(thrownBy(quantize).code).toBe("KERNEL_FAILED");
    expect(backend.memory()).toEqual(before);
    expect(codes.disposed).toBe(false);
  });

  test("the upload throws", () => {
    const write = () => {
      throw halfbyteError("OUT_OF_MEMORY", "no staging memory");
    };
    const backend = backendOn(fakeDevice(() => ({ write })));
    expect(thrownBy(() => floats(backend, [64])).code).toBe("OUT_OF_MEMORY");
    expect(backend.memory()).toEqual(empty);
  });
});

describe("`into`", () => {
  test("reuses the tensors and returns them; what is missing is allocated", async () => {
    const backend = backendOn();
    using x = floats(backend, [128]);
    const codes = backend.tensor("uint8", [64], new Uint8Array(64).fill(0x5a));
    const fresh = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    const { tensors } = backend.memory();
    const reused = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }, { codes });
    expect(reused.codes).toBe(codes);
    expect(backend.memory().tensors).toBe(tensors + 1);
    expect(await reused.codes.read()).toEqual(await fresh.codes.read());
    expect(await reused.absmax.read()).toEqual(await fresh.absmax.read());
  });

  test("a read enqueued before sees the old content", async () => {
    const backend = backendOn();
    const codes = backend.tensor("uint8", [32], new Uint8Array(32).fill(0x5a));
    using x = floats(backend, [64]);
    heavy(backend).dispose();
    const reading = codes.read();
    backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }, { codes });
    expect(await reading).toEqual(new Uint8Array(32).fill(0x5a));
    expect(await codes.read()).not.toEqual(new Uint8Array(32).fill(0x5a));
  });

  const refusals: Readonly<Record<string, [string, (x: Tensor<"float32">) => unknown]>> = {
    "another shape": ["SHAPE_MISMATCH", (x) => x.backend.zeros("float32", [3, 2])],
    "another dtype": ["SHAPE_MISMATCH", (x) => x.backend.zeros("float16", [2, 2])],
    "an argument": ["INVALID_ARGUMENT", (x) => x],
    "another handle of an argument": ["INVALID_ARGUMENT", (x) => x.reshape([2, 2])],
    "a tensor of another backend": ["WRONG_BACKEND", () => backendOn().zeros("float32", [2, 2])],
    "a disposed tensor": ["TENSOR_DISPOSED", (x) => disposed(x.backend.zeros("float32", [2, 2]))],
    "an array": ["INVALID_ARGUMENT", () => new Float32Array(4)],
  };
  for (const [what, [code, outOf]] of Object.entries(refusals))
    test(`refuses ${what} → ${code}`, () => {
      const backend = backendOn();
      using x = floats(backend, [2, 2]);
      using weight = floats(backend, [2, 2], 2);
      const out = outOf(x) as Tensor<"float32">;
      const before = backend.memory();
      expect(thrownBy(() => backend.kernels.gemm({ x, weight }, { out })).code).toBe(code);
      expect(backend.memory()).toEqual(before);
    });

  const disposed = (tensor: Tensor) => {
    tensor.dispose();
    return tensor;
  };
});

describe("only optimizers write to arguments, and each to its own", () => {
  test("an argument that is written to may not be passed twice", () => {
    const backend = backendOn();
    const [a, b, c] = [1, 2, 3].map((seed) => floats(backend, [8], seed)) as [Tensor, Tensor, Tensor];
    const update = { optimizer: "momentum", param: a, grad: b, state1: c, step: momentumStep };
    const run = (args: object) => () => backend.kernels.optimizerUpdate32bit(args as never);
    for (const twice of [{ grad: a }, { grad: a.reshape([8]) }, { state1: a }, { grad: c }])
      expect(thrownBy(run({ ...update, ...twice })).code).toBe("INVALID_ARGUMENT");
    run(update)();
  });

  test("read-only arguments may be passed twice", async () => {
    const backend = backendOn();
    using x = floats(backend, [4, 4]);
    expect((await backend.kernels.gemm({ x, weight: x }).out.read()).length).toBe(16);
    const code = codebook(backend);
    const codes = backend.zeros("uint8", [256]);
    backend.kernels.dequantizeBlockwise({ codes, absmax: code, code, blockSize: 1, dtype: "float32" });
  });
});

describe("the end", () => {
  test("a disposed backend finishes what was enqueued and refuses the rest", async () => {
    const backend = backendOn();
    const out = heavy(backend);
    const reading = out.read();
    await backend.dispose();
    expect((await reading).length).toBe(384 * 384);
    expect(thrownBy(() => backend.zeros("float32", [1])).code).toBe("BACKEND_CLOSED");
    expect(thrownBy(() => backend.explain("gemm", {} as never)).code).toBe("BACKEND_CLOSED");
    for (const op of opNames)
      expect(thrownBy(() => (backend.kernels[op] as (args: unknown) => unknown)({})).code).toBe("BACKEND_CLOSED");
    await expectCode(out.read(), "BACKEND_CLOSED");
    await expectCode(backend.synchronize(), "BACKEND_CLOSED");
    out.dispose();
    expect(backend.memory()).toEqual(empty);
  });

  test("disposing twice, at once or later, closes the device once and waits for it", async () => {
    const { device, closed } = losableDevice();
    const backend = backendOn(device);
    await Promise.all([backend.dispose(), backend.dispose()]);
    await backend.dispose();
    await backend[Symbol.asyncDispose]();
    expect(closed()).toBe(1);
  });

  test("a device that reports itself lost because it was closed is not closed again", async () => {
    const { device, closed, lose } = losableDevice();
    const backend = backendOn(device);
    await backend.dispose();
    lose();
    await device.lost;
    await Promise.resolve();
    expect(closed()).toBe(1);
    expect(thrownBy(() => backend.zeros("float32", [1])).code).toBe("BACKEND_CLOSED");
  });
});
