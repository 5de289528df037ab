/** The device's own part: order, waiting, the inline rule, faults, lifetimes. The arithmetic is the library's. */
import {
  type Backend,
  createBackend,
  createQuantizedTensor,
  isHalfbyteError,
  quantize,
  referenceBackend,
} from "@halfbyte/core";
import { beforeEach, describe, expect, it } from "vitest";
import { NativeDevice } from "../src/native-device.js";
import { FakeLibrary } from "./fake-library.js";

const report = { chosen: "fake", skipped: [], selfTest: { cases: 0, ms: 0, cached: false } };

let library: FakeLibrary;
let device: NativeDevice;
let backend: Backend;

beforeEach(() => {
  library = new FakeLibrary();
  device = new NativeDevice(library.functions, {
    name: "fake",
    tier: "best",
    maxTensorBytes: 2 ** 30,
    variantOf: (operation) => (operation === "gemm_transposed" ? "scalar" : "best"),
  });
  backend = createBackend(device, report);
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const codeOf = (thrown: unknown): string => (isHalfbyteError(thrown) ? thrown.code : String(thrown));
const thrownBy = (body: () => unknown): unknown => {
  try {
    return body() && "nothing was thrown";
  } catch (thrown) {
    return thrown;
  }
};
const codeOfCall = (body: () => unknown): string => codeOf(thrownBy(body));

const bytes = Uint8Array.of(1, 2, 3);

describe("waiting", () => {
  it("reads what was written, once the queue gets there", async () => {
    const reading = backend.tensor("uint8", [3], bytes).read();
    let isRead = false;
    void reading.then(() => (isRead = true));
    await turn();
    expect(isRead).toBe(false);
    library.run();
    expect(await reading).toEqual(bytes);
  });

  it("of many runs one native wait at a time, and serves everyone it can", async () => {
    const tensor = backend.tensor("uint8", [3], bytes);
    const reads = [tensor.read(), tensor.read(), tensor.read()];
    await turn();
    expect(library.waits.length).toBe(1);
    library.run();
    await turn();
    library.run();
    expect(await Promise.all(reads)).toEqual([bytes, bytes, bytes]);
    expect(library.waits.length).toBe(0);
  });

  it("needs no native wait for what is done", async () => {
    const tensor = backend.tensor("uint8", [3], bytes);
    library.run();
    await backend.synchronize();
    expect(library.waits.length).toBe(0);
    tensor.dispose();
  });

  it("tells what failed late, to those it concerns", async () => {
    const x = backend.tensor("float32", [64], new Float32Array(64));
    const { q } = backend.kernels.int8VectorwiseQuant({ x, threshold: 0, nonFinite: "propagate" });
    library.late = 1;
    library.run();
    await expect(backend.synchronize()).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    library.late = 0;
    const [bad, good] = [q.read(), x.read()];
    library.run();
    await expect(bad).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    await good;
  });

  it("tells what failed late of a read", async () => {
    const reading = backend.tensor("uint8", [3], bytes).read();
    library.late = 1;
    await turn();
    library.run();
    await expect(reading).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
  });

  it("an aborted read rejects", async () => {
    const controller = new AbortController();
    const reading = backend.tensor("uint8", [3], bytes).read({ signal: controller.signal });
    controller.abort();
    await turn();
    library.run();
    await expect(reading).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("the inline rule", () => {
  it("allows 4 ms between two turns of the event loop", async () => {
    library.busyMs = 3;
    for (let i = 0; i < 4; i++) backend.tensor("uint8", [3], bytes);
    expect(library.inline).toEqual([1, 0]);
    await turn();
    backend.tensor("uint8", [3], bytes);
    expect(library.inline).toEqual([1, 0, 1]);
  });
});

describe("failures", () => {
  it.each([
    [1, "OUT_OF_MEMORY"],
    [2, "UNSUPPORTED_KERNEL"],
    [3, "DEVICE_LOST"],
    [4, "KERNEL_FAILED"],
    [99, "KERNEL_FAILED"],
  ])("status %d → %s", (status, code) => {
    library.status = status;
    expect(codeOfCall(() => backend.tensor("uint8", [3], bytes))).toBe(code);
  });

  it("carry the device's own number, and what it means to who knows it", () => {
    const reason = { code: "CUDA_NOT_READY", message: "CUDA says 802.", remedy: "Wait." };
    const explained = new NativeDevice(library.functions, {
      name: "fake",
      tier: "best",
      maxTensorBytes: 2 ** 30,
      variantOf: () => "best",
      explain: () => reason,
    });
    Object.assign(library, { status: 4, lastError: 802 });
    const write = (target: NativeDevice) => thrownBy(() => createBackend(target, report).tensor("uint8", [3], bytes));
    expect(write(device)).toMatchObject({ code: "KERNEL_FAILED", message: expect.stringContaining("error 802") });
    expect(write(explained)).toMatchObject({ code: "CUDA_NOT_READY", remedy: "Wait." });
    expect(String(write(explained))).toContain("status 4, error 802). CUDA says 802.");
    library.status = 1;
    expect(write(explained)).toMatchObject({ code: "OUT_OF_MEMORY", remedy: "Wait." });
  });

  it("no memory → OUT_OF_MEMORY, and nothing stays behind", () => {
    expect(codeOfCall(() => backend.zeros("uint8", [1 << 21]))).toBe("OUT_OF_MEMORY");
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  });

  it("a lost device closes the backend", async () => {
    library.status = 3;
    expect(codeOfCall(() => backend.tensor("uint8", [3], bytes))).toBe("DEVICE_LOST");
    expect(await device.lost).toMatchObject({ code: "DEVICE_LOST" });
    await turn();
    library.status = 0;
    expect(codeOfCall(() => backend.zeros("uint8", [3]))).toBe("DEVICE_LOST");
  });

  it("a value that is not finite faults the read, with its index", async () => {
    library.fault = 70n;
    const x = backend.tensor("float32", [64], new Float32Array(64));
    const { codes, absmax } = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    library.run();
    library.fault = -1n;
    const good = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    library.run();
    for (const tensor of [codes, absmax]) {
      const reading = tensor.read();
      library.run();
      await expect(reading).rejects.toMatchObject({ code: "NON_FINITE_INPUT", details: { index: 70 } });
    }
    const reading = good.codes.read();
    library.run();
    await reading;
  });

  it("nobody looks when values may be anything", async () => {
    library.fault = 70n;
    const x = backend.tensor("float32", [64], new Float32Array(64));
    backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64, nonFinite: "propagate" });
    expect(library.calls).not.toContain("hb_read");
    library.run();
    await backend.synchronize();
  });
});

describe("what the library cannot do", () => {
  it('profile "cpu" is refused', () => {
    const x = backend.zeros("float32", [64]);
    expect(codeOfCall(() => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64, profile: "cpu" }))).toBe(
      "UNSUPPORTED_KERNEL",
    );
  });

  it("nested scales and transposed products are composed", async () => {
    using source = referenceBackend().tensor("float32", [2, 64], new Float32Array(128).fill(1));
    const weightOf = async (nested: boolean) => (await quantize(source, { format: "nf4", nested })).to(backend);
    const [flat, nested] = [await weightOf(false), await weightOf(true)];
    const x = backend.zeros("float32", [3, 64]);
    const explain = (args: object) => backend.explain("gemm4bit", { x, weight: flat, ...args });
    expect(explain({})).toEqual({ kernel: "hb_gemm_4bit", variant: "best", composed: false });
    expect(explain({ weight: nested })).toMatchObject({ composed: true });
    expect(explain({ transpose: true, x: backend.zeros("float32", [3, 2]) })).toMatchObject({
      composed: true,
      variant: "best+scalar",
    });
  });
});

describe("nested scales", () => {
  const explained = async (nestedBlockSize: number) => {
    using source = referenceBackend().tensor("float32", [2, 64], new Float32Array(128).fill(1));
    const weight = await (await quantize(source, { format: "nf4", nested: true })).to(backend);
    const nested = { ...weight, scales: { ...weight.scales, nestedBlockSize } as typeof weight.scales };
    const args = { x: backend.zeros("float32", [3, 64]), weight: nested };
    library.calls.length = 0;
    backend.kernels.gemm4bit(args);
    backend.kernels.dequantize4bit({ weight: nested, dtype: "float32" });
    return backend.explain("gemm4bit", args);
  };
  const called = () => library.calls.filter((call) => !/write|free/.test(call));

  it("are decoded on the way by a library that can", async () => {
    library.decodesNested = true;
    expect(await explained(256)).toEqual({ kernel: "hb_gemm_4bit", variant: "best+nested", composed: false });
    expect(called()).toEqual(["hb_gemm_4bit_nested", "hb_dequantize_4bit_nested"]);
  });

  it("are decoded beforehand where it cannot", async () => {
    expect(await explained(256)).toMatchObject({ composed: true });
    library.decodesNested = true;
    expect(await explained(5)).toMatchObject({ composed: true });
    expect(called()).not.toContain("hb_gemm_4bit_nested");
  });
});

describe("packed weights", () => {
  const weightOf = async (nested: boolean) => {
    using source = referenceBackend().tensor("float32", [2, 64], new Float32Array(128).fill(1));
    return (await quantize(source, { format: "nf4", nested })).to(backend);
  };
  const calls = (name: string) => library.calls.filter((call) => call === name).length;

  beforeEach(() => {
    library.packedBytes = 100;
  });

  it("are made once, counted, and freed with the weight", async () => {
    const weight = await weightOf(false);
    const x = backend.zeros("float32", [3, 64]);
    expect(backend.explain("gemm4bit", { x, weight })).toMatchObject({ variant: "best+packed+exact", composed: false });
    for (let i = 0; i < 3; i++) backend.kernels.gemm4bit({ x, weight });
    expect([calls("hb_pack_4bit"), calls("hb_gemm_4bit"), backend.memory().packedBytes]).toEqual([1, 3, 100]);
    weight.dispose();
    expect(backend.memory().packedBytes).toBe(0);
  });

  it("of nested scales hold decoded ones", async () => {
    const weight = await weightOf(true);
    const x = backend.zeros("bfloat16", [3, 64]);
    expect(backend.explain("gemm4bit", { x, weight })).toMatchObject({ variant: "best+packed+fast", composed: false });
    for (let i = 0; i < 3; i++) backend.kernels.gemm4bit({ x, weight });
    expect([calls("hb_dequantize_blockwise"), calls("hb_pack_4bit"), calls("hb_gemm_4bit")]).toEqual([1, 1, 3]);
  });

  it("go when what they were made from is written to", async () => {
    const [weight, x] = [await weightOf(false), backend.zeros("float32", [2, 64])];
    backend.kernels.gemm4bit({ x, weight });
    backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }, { codes: weight.codes as never });
    expect(backend.memory().packedBytes).toBe(0);
    backend.kernels.gemm4bit({ x, weight });
    expect(calls("hb_pack_4bit")).toBe(2);
  });

  it("are done without when there is no memory", async () => {
    const [weight, x] = [await weightOf(true), backend.zeros("float32", [2, 64])];
    library.packedBytes = 1 << 21;
    backend.kernels.gemm4bit({ x, weight });
    expect([calls("hb_pack_4bit"), calls("hb_gemm_4bit"), backend.memory().packedBytes]).toEqual([0, 1, 0]);
  });

  it("of int8 are made for the second product", () => {
    const [a, b] = [backend.zeros("int8", [2, 64]), backend.zeros("int8", [8, 64])];
    const packings = [1, 2, 3].map(() => {
      backend.kernels.int8LinearMatmul({ a, b });
      return calls("hb_pack_int8");
    });
    expect(packings).toEqual([0, 1, 1]);
  });

  it("are not made when memory is to be lean", async () => {
    const options = {
      name: "fake",
      tier: "best",
      maxTensorBytes: 2 ** 30,
      variantOf: () => "best",
      memory: "lean" as const,
    };
    backend = createBackend(new NativeDevice(library.functions, options), report);
    const [weight, x] = [await weightOf(false), backend.zeros("float32", [2, 64])];
    expect(backend.explain("gemm4bit", { x, weight })).toMatchObject({ variant: "best" });
    backend.kernels.gemm4bit({ x, weight });
    expect([calls("hb_pack_4bit"), backend.memory().packedBytes]).toEqual([0, 0]);
  });
});

describe("lifetimes", () => {
  it("the table of a format is uploaded once", async () => {
    using source = referenceBackend().tensor("float32", [64], new Float32Array(64).fill(1));
    const weight = await (await quantize(source, { format: "nf4" })).to(backend);
    const uploads = () => library.calls.filter((name) => name === "hb_write").length;
    const before = uploads();
    for (let i = 0; i < 3; i++) backend.kernels.dequantize4bit({ weight, dtype: "float32" });
    expect(uploads()).toBe(before + 1);
  });

  it("close() lets a native wait end whose entry is done already", async () => {
    const reading = backend.tensor("uint8", [3], bytes).read();
    await turn();
    library.pass();
    const closing = device.close();
    await turn();
    expect(library.destroyed).toBe(0);
    library.run();
    expect(await reading).toEqual(bytes);
    await closing;
    expect(library.destroyed).toBe(1);
  });

  it("close() waits, frees everything and destroys the queue once", async () => {
    const tensor = backend.tensor("uint8", [3], bytes);
    const closing = backend.dispose();
    await turn();
    expect(library.destroyed).toBe(0);
    library.run();
    await turn();
    library.run();
    await closing;
    await device.close();
    expect(library.destroyed).toBe(1);
    expect(library.memory.size).toBe(0);
    tensor.dispose();
    expect(codeOfCall(() => device.allocate(3, false))).toBe("BACKEND_CLOSED");
  });

  it("storage is freed once, in queue order", () => {
    const storage = device.allocate(3, false);
    device.free(storage);
    device.free(storage);
    expect(library.calls.filter((name) => name === "hb_free").length).toBe(1);
  });
});

describe("a library without all of the kernels", () => {
  it("composes what it can, and names what it lacks", () => {
    const some = new NativeDevice(library.functions, {
      name: "fake",
      tier: "best",
      maxTensorBytes: 2 ** 30,
      variantOf: () => "best",
      operations: ["dequantize_4bit", "gemm"],
    });
    backend = createBackend(some, report);
    const [x, codes] = [backend.zeros("float32", [1, 64]), backend.zeros("uint8", [64])];
    const scales = { kind: "block", absmax: backend.zeros("float32", [2]) } as const;
    const weight = createQuantizedTensor({
      format: "nf4",
      shape: [2, 64],
      dtype: "float32",
      blockSize: 64,
      codes,
      scales,
    });
    expect(backend.explain("gemm4bit", { x, weight })).toMatchObject({ composed: true });
    expect(codeOfCall(() => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }))).toBe(
      "UNSUPPORTED_KERNEL",
    );
  });
});
