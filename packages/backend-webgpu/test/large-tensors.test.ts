/** Tensors in many buffers, and what stays behind when something goes wrong on the way: nothing. */
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import {
  type Backend,
  createRandom,
  dequantize,
  type Float,
  openBackend,
  quantize,
  referenceBackend,
  type Tensor,
} from "@halfbyte/core";
import { beforeEach, describe, expect, test } from "vitest";
import { uploadTensor } from "../../core/src/backend.js";
import { chooseAdapter, requestDevice } from "../src/adapter.js";
import type { WebgpuDevice } from "../src/device.js";
import { entryPoint } from "../src/entry-point.js";
import { webgpu } from "../src/index.js";
import { webgpuDeviceOf } from "../src/variants-of.js";
import { adapterReason } from "./adapter-reason.js";
import { openFew } from "./large.js";

const noAdapter = await adapterReason();
beforeEach(({ skip }) => {
  if (noAdapter) skip(noAdapter);
});

const KiB = 1024;
const deviceBehind = (backend: Backend): WebgpuDevice => webgpuDeviceOf(backend)!;

describe.each([64, 256, 1024])("in pieces of %i KiB", (kibibytes) => {
  const pieceBytes = kibibytes * KiB;

  test("bytes come back", async () => {
    await using backend = await openFew({ pieceBytes });
    for (const size of [pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes + 5, 7 * pieceBytes + 3]) {
      const data = new Uint8Array(randomBytes(size));
      using tensor = backend.tensor("uint8", [size], data);
      expect(Buffer.compare(await tensor.read(), data), `${size} bytes`).toBe(0);
    }
    expect(deviceBehind(backend).liveBuffers).toBe(0);
  });

  test("any part can be written and read, across pieces and within words", async () => {
    await using backend = await openFew({ pieceBytes });
    const device = deviceBehind(backend);
    const size = 3 * pieceBytes + 7;
    const expected = new Uint8Array(randomBytes(size));
    const storage = device.allocate(size, true);
    device.write(storage, 0, expected);
    for (const [offset, length] of [
      [pieceBytes - 1, 2],
      [pieceBytes - 3, 5],
      [pieceBytes, 1],
      [2 * pieceBytes - 2, pieceBytes + 3],
      [1, 3 * pieceBytes],
      [size - 2, 2],
    ] as const) {
      const part = new Uint8Array(randomBytes(length));
      device.write(storage, offset, part);
      expected.set(part, offset);
      const found = new Uint8Array(length + 1);
      await device.read(storage, offset - 1, found);
      expect(Buffer.compare(found, expected.subarray(offset - 1, offset + length)), `${length} at ${offset}`).toBe(0);
    }
    const all = new Uint8Array(size);
    await device.read(storage, 0, all);
    expect(Buffer.compare(all, expected)).toBe(0);
    device.free(storage);
  });

  test("weights decode to the reference's bits", async () => {
    await using backend = await openFew({ pieceBytes });
    for (const [format, nested, dtype] of [
      ["nf4", false, "float32"],
      ["nf4", true, "bfloat16"],
      ["int8-blockwise", false, "float16"],
    ] as const) {
      const elements = Math.ceil((2.5 * pieceBytes) / 2) + 1;
      await expectSameDecoding(backend, elements, format, nested, dtype);
    }
    expect(deviceBehind(backend).liveBuffers).toBe(0);
  });
});

const noise = (size: number): Float32Array => {
  const random = createRandom(size);
  return Float32Array.from({ length: size }, () => random.uniform() - 0.5);
};

async function expectSameDecoding(backend: Backend, size: number, format: string, nested: boolean, dtype: Float) {
  using x = referenceBackend().tensor("float32", [size], noise(size));
  using weight = await quantize(x, { format, nested });
  using moved = await weight.to(backend);
  using found = dequantize(moved, { dtype });
  using expected = dequantize(weight, { dtype });
  const [ours, theirs] = [await found.read(), await expected.read()];
  expect(Buffer.compare(bytesOf(ours), bytesOf(theirs)), `${format} nested: ${nested} ${dtype}`).toBe(0);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

describe("what is given up half-way leaves nothing", () => {
  const pieceBytes = 64 * KiB;

  async function* failing(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 5; i++) yield new Uint8Array(randomBytes(40_000));
    throw new Error("the network is gone");
  }

  test("an upload whose source fails", async () => {
    await using backend = await openFew({ pieceBytes });
    await expect(uploadTensor(backend, "uint8", [1_000_000], failing())).rejects.toThrow("the network is gone");
    await backend.synchronize();
    expect(deviceBehind(backend).liveBuffers).toBe(0);
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0, leaked: 0 });
  });

  test("an upload that is aborted", async () => {
    await using backend = await openFew({ pieceBytes });
    const controller = new AbortController();
    async function* aborted(): AsyncGenerator<Uint8Array> {
      for (let i = 0; ; i++) {
        if (i === 3) controller.abort();
        controller.signal.throwIfAborted();
        yield new Uint8Array(50_000);
      }
    }
    await expect(uploadTensor(backend, "uint8", [1_000_000], aborted())).rejects.toThrow(/abort/i);
    await backend.synchronize();
    expect(deviceBehind(backend).liveBuffers).toBe(0);
  });

  test("a read that is aborted, before and while it runs", async () => {
    await using backend = await openFew({ pieceBytes });
    {
      using tensor = backend.tensor("uint8", [1_000_003], new Uint8Array(1_000_003).fill(7));
      const controller = new AbortController();
      const reading = tensor.read({ signal: controller.signal });
      controller.abort();
      await expect(reading).rejects.toMatchObject({ code: "ABORTED" });
      await expect(tensor.read({ signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
      expect((await tensor.read()).every((byte) => byte === 7)).toBe(true);
    }
    await backend.synchronize();
    expect(deviceBehind(backend).liveBuffers).toBe(0);
  });
});

/** The machine's own device, which has no memory for buffers of this size and above. */
async function deviceWithout(largeBytes: number): Promise<GPUDevice> {
  const device = await requestDevice(await chooseAdapter(await entryPoint()));
  const [createBuffer, popErrorScope] = [device.createBuffer.bind(device), device.popErrorScope.bind(device)];
  let isOut = false;
  device.createBuffer = (descriptor) => {
    isOut = descriptor.size >= largeBytes;
    return createBuffer(isOut ? { ...descriptor, size: 256 } : descriptor);
  };
  device.popErrorScope = async () => {
    const wasOut = isOut;
    isOut = false;
    const error = await popErrorScope();
    return wasOut ? ({ message: "no memory" } as GPUError) : error;
  };
  return device;
}

test("without memory a tensor says so when it is read, and others work on", async () => {
  const gpuDevice = await deviceWithout(2 ** 20);
  const operations = ["dequantizeBlockwise"] as const;
  const backend = await openBackend([webgpu({ gpuDevice, operations })], { order: ["webgpu"] });
  const refused = expect.objectContaining({ code: "OUT_OF_MEMORY" });
  {
    using large = backend.zeros("uint8", [2 ** 21]);
    await expect(large.read()).rejects.toEqual(refused);
    using small = backend.tensor("uint8", [3], Uint8Array.of(1, 2, 3));
    expect([...(await small.read())]).toEqual([1, 2, 3]);
    using decoded = decodedOf(backend, large);
    await expect(decoded.read()).rejects.toEqual(refused);
  }
  await backend.synchronize().catch(() => undefined);
  expect(deviceBehind(backend).liveBuffers).toBe(0);
  await backend.dispose();
  gpuDevice.destroy();
});

/** Computed from a tensor that has no memory. */
function decodedOf(backend: Backend, codes: Tensor<"uint8">): Tensor {
  const blocks = Math.ceil(codes.size / 4096);
  using absmax = backend.zeros("float32", [blocks]);
  using code = backend.zeros("float32", [256]);
  return backend.kernels.dequantizeBlockwise({ codes, absmax, code, blockSize: 4096, dtype: "float32" }).out;
}

test("nothing waits for a page to be drawn: hidden tabs go on", async () => {
  const folder = new URL("../src/", import.meta.url);
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(ts|wgsl)$/.test(name));
  expect(names.length).toBeGreaterThan(20);
  for (const name of names)
    expect(await readFile(new URL(name, folder), "utf8"), name).not.toMatch(
      /requestAnimationFrame|requestIdleCallback/,
    );
});
