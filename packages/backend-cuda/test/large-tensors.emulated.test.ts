/**
 * Tensors of more than 2^32 elements: every kernel indexes with 64 bits. They are sparse: memory is promised to them that nobody touches, and of each
 * launch only the last thread block runs. What it computes at the very end must be what the same numbers give in a small tensor.
 */
import { type Backend, createDynamicMap, createRandom, deviceOf, fromFloat32, getFormat } from "@halfbyte/core";
import type { NativeDevice } from "@halfbyte/native";
import { load } from "koffi";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deviceAddressOf } from "../src/device-memory.js";
import { emulatedLibrary, noEmulation, openEmulated } from "./emulated.js";

/** More than 2^33, in a whole number of turns for any kernel: then the last thread block has the last elements. */
const size = 3 * 2 ** 32;
const tail = 4096;
const [noAccessFailed, readWrite, privateNoReserve] = [2n ** 64n - 1n, 3, 0x4022];

interface Memory {
  mmap(address: null, bytes: number, access: number, flags: number, file: number, offset: number): bigint;
  munmap(address: bigint, bytes: number): number;
  write(stream: null, target: bigint, host: Uint8Array, bytes: number, milliseconds: number): number;
  read(stream: null, source: bigint, host: Uint8Array, bytes: number): number;
}

function memoryCalls(): Memory {
  const [process, library] = [load(null), load(emulatedLibrary())];
  return {
    mmap: process.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64_t"]),
    munmap: process.func("munmap", "int", ["void *", "size_t"]),
    write: library.func("hb_other_write", "int32_t", ["void *", "void *", "void *", "uint64_t", "int32_t"]),
    read: library.func("hb_other_read", "int32_t", ["void *", "void *", "void *", "uint64_t"]),
  } as unknown as Memory;
}

let memory: Memory;
let backend: Backend;
let device: NativeDevice;
let mapped: { address: bigint; bytes: number }[] = [];

beforeAll(async () => {
  if (noEmulation) return;
  memory = memoryCalls();
  backend = await openEmulated();
  device = deviceOf(backend) as unknown as NativeDevice;
}, 120_000);
afterAll(() => backend?.dispose());
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
  const address = memory.mmap(null, 2 ** 40, readWrite, privateNoReserve, -1, 0);
  if (address === noAccessFailed) skip("this system promises no memory that it does not have");
  memory.munmap(address, 2 ** 40);
});
afterEach(() => {
  delete process.env["HALFBYTE_EMULATED_BLOCKS"];
  for (const { address, bytes } of mapped) memory.munmap(address, bytes);
  mapped = [];
});

function sparse(bytes: number): bigint {
  const address = memory.mmap(null, bytes, readWrite, privateNoReserve, -1, 0);
  mapped.push({ address, bytes });
  return address;
}

const asBytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Writes to the end of a sparse tensor. */
function putAtEnd(address: bigint, bytes: number, data: ArrayBufferView): void {
  const { byteLength } = data;
  memory.write(null, address + BigInt(bytes - byteLength), asBytes(data), byteLength, 0);
  memory.read(null, address, new Uint8Array(1), 1);
}

function atEnd(address: bigint, bytes: number, count: number): Buffer {
  const found = Buffer.alloc(count);
  memory.read(null, address + BigInt(bytes - count), found, count);
  return found;
}

/** Runs the last thread block of what is enqueued. */
async function runLast(enqueue: () => void): Promise<void> {
  process.env["HALFBYTE_EMULATED_BLOCKS"] = "last";
  enqueue();
  await backend.synchronize();
  delete process.env["HALFBYTE_EMULATED_BLOCKS"];
}

const random = createRandom(5);
const values = Float32Array.from({ length: tail }, () => random.normal());
const [float32, float16, bfloat16] = [0, 1, 2];
const reference = 0;
const nf4 = getFormat("nf4").code;
const map = createDynamicMap();
const bitsOf = async (tensor: { read(): Promise<ArrayBufferView> }) => Buffer.from(asBytes(await tensor.read()));

describe("elements beyond 2^33", () => {
  it("quantized to 4 bits, and decoded", async () => {
    const halves = fromFloat32("float16", values);
    const [x, codes, absmax] = [sparse(2 * size), sparse(size / 2), sparse(size / 16)];
    putAtEnd(x, 2 * size, halves);
    await runLast(() =>
      device.queue.enqueue("hb_quantize_4bit", x, float16, size, nf4, 1, 64, reference, codes, absmax, null),
    );
    const near = backend.kernels.quantize4bit({
      x: backend.tensor("float16", [tail], halves),
      format: "nf4",
      blockSize: 64,
    });
    // The last thread block has 2048 of them.
    expect(atEnd(codes, size / 2, 1024)).toEqual((await bitsOf(near.codes)).subarray(-1024));
    expect(atEnd(absmax, size / 16, 128)).toEqual((await bitsOf(near.absmax)).subarray(-128));

    const [out, code] = [sparse(2 * size), deviceAddressOf(backend.tensor("float32", [16], nf4))];
    await runLast(() => device.queue.enqueue("hb_dequantize_4bit", codes, absmax, code, size, 64, out, bfloat16));
    const small = sparse(2 * tail);
    const [nearCodes, nearAbsmax] = [deviceAddressOf(near.codes), deviceAddressOf(near.absmax)];
    device.queue.enqueue("hb_dequantize_4bit", nearCodes, nearAbsmax, code, tail, 64, small, bfloat16);
    await backend.synchronize();
    expect(atEnd(out, 2 * size, 4096)).toEqual(atEnd(small, 2 * tail, 4096));
  });

  it("quantized to 8 bits in blocks of any size, and how far that is from the original", async () => {
    const [x, codes, absmax, sums] = [sparse(4 * size), sparse(size), sparse(size / 256), sparse((size / 4096) * 24)];
    const code = backend.tensor("float32", [256], map);
    putAtEnd(x, 4 * size, values);
    await runLast(() =>
      device.queue.enqueue(
        "hb_quantize_blockwise",
        x,
        float32,
        size,
        deviceAddressOf(code),
        1024,
        reference,
        codes,
        absmax,
        null,
      ),
    );
    const given = backend.tensor("float32", [tail], values);
    const near = backend.kernels.quantizeBlockwise({ x: given, code, blockSize: 1024 });
    expect(atEnd(codes, size, 1024)).toEqual((await bitsOf(near.codes)).subarray(-1024));
    putAtEnd(codes, size, await near.codes.read());
    putAtEnd(absmax, size / 256, await near.absmax.read());
    await runLast(() =>
      device.queue.enqueue(
        "hb_quantization_error",
        x,
        float32,
        size,
        codes,
        absmax,
        deviceAddressOf(code),
        256,
        1024,
        sums,
      ),
    );
    const small = sparse(4096);
    device.queue.enqueue(
      "hb_quantization_error",
      deviceAddressOf(given),
      float32,
      tail,
      deviceAddressOf(near.codes),
      deviceAddressOf(near.absmax),
      deviceAddressOf(code),
      256,
      1024,
      small,
    );
    await backend.synchronize();
    expect(atEnd(sums, (size / 4096) * 24, 24)).toEqual(atEnd(small, 24, 24));
  });

  it("of an optimizer's parameter and states", async () => {
    const step = {
      lr: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      beta3: 0,
      alpha: 0,
      eps: 1e-8,
      weight_decay: 0.01,
      grad_scale: 1,
      max_unorm: 0,
      step: 3,
      skip_zeros: 0,
    };
    const update = (at: readonly bigint[], count: number) => {
      const [param, grad, state1, state2] = at as [bigint, bigint, bigint, bigint];
      device.queue.enqueue(
        "hb_optimizer_update_32bit",
        0,
        param,
        grad,
        float32,
        float32,
        state1,
        state2,
        count,
        step,
        reference,
        0,
        norm,
      );
    };
    const norm = sparse(4096);
    const [far, near] = [[0, 1, 2, 3].map(() => sparse(4 * size)), [0, 1, 2, 3].map(() => sparse(4 * tail))];
    for (const i of [0, 1, 2, 3]) {
      const numbers = values.map((value) => (i === 3 ? value * value : value * (i + 1)));
      putAtEnd(far[i]!, 4 * size, numbers);
      putAtEnd(near[i]!, 4 * tail, numbers);
    }
    await runLast(() => update(far, size));
    update(near, tail);
    await backend.synchronize();
    // 1024 of them belong to the last thread block.
    for (const i of [0, 2, 3]) expect(atEnd(far[i]!, 4 * size, 4096)).toEqual(atEnd(near[i]!, 4 * tail, 4096));
    expect(atEnd(far[0]!, 4 * size, 4096)).not.toEqual(Buffer.from(asBytes(values)).subarray(-4096));
  });
});

describe("weights of more than 2^33 elements", () => {
  const [n, k] = [2 ** 21, 4096 + 2048];
  const columns = 32;

  it("of rows of bytes, quantized and multiplied", async () => {
    const [x, q, stats] = [sparse(2 * n * k), sparse(n * k), sparse(4 * n)];
    const row = fromFloat32(
      "float16",
      Float32Array.from({ length: k }, (_, i) => values[i % tail]!),
    );
    const mask = sparse(k);
    putAtEnd(x, 2 * n * k, row);
    await runLast(() => device.queue.enqueue("hb_int8_vectorwise_quant", x, float16, n, k, 0, q, stats, mask, null));
    const near = backend.kernels.int8VectorwiseQuant({ x: backend.tensor("float16", [1, k], row), threshold: 0 });
    expect(atEnd(q, n * k, k)).toEqual(await bitsOf(near.q));
    expect(atEnd(stats, 4 * n, 4)).toEqual(await bitsOf(near.rowStats));

    const out = sparse(4 * n);
    await runLast(() => device.queue.enqueue("hb_int8_linear_matmul", deviceAddressOf(near.q), q, null, 1, n, k, out));
    const product = backend.kernels.int8LinearMatmul({ a: near.q, b: near.q });
    expect(atEnd(out, 4 * n, 4)).toEqual(await bitsOf(product.out));
  });

  it.each([
    ["float32, exact", float32, 0],
    ["float16, tensor cores", float16, 1],
  ] as const)("of 4 bits, times one row of %s", async (_, dtype, accuracy) => {
    // A power of two of tiles, within what tensor cores take.
    const [rows, width] = [2 ** 20, 2 ** 13 + 2 ** 12];
    const name = dtype === float32 ? "float32" : "float16";
    const [codes, absmax, out] = [sparse((rows * width) / 2), sparse((rows * width) / 16), sparse(4 * rows)];
    const last = Uint8Array.from({ length: (columns * width) / 2 }, (_, i) => (i * 37) ^ (i >> 5));
    const scales = Float32Array.from({ length: (columns * width) / 64 }, (_, i) => 0.5 + (i % 7));
    putAtEnd(codes, (rows * width) / 2, last);
    putAtEnd(absmax, (rows * width) / 16, scales);
    const data = fromFloat32(
      name,
      Float32Array.from({ length: width }, (_, i) => values[i % tail]!),
    );
    const x = deviceAddressOf(backend.tensor(name, [1, width], data as never));
    const code = deviceAddressOf(backend.tensor("float32", [16], nf4));
    const multiply = (c: bigint, a: bigint, count: number, to: bigint) =>
      device.queue.enqueue("hb_gemm_4bit", x, dtype, c, a, null, code, 64, accuracy, null, 0, 1, count, width, to);
    await runLast(() => multiply(codes, absmax, rows, out));
    const small = sparse(4096);
    const near = [
      backend.tensor("uint8", [last.length], last),
      backend.tensor("float32", [scales.length], scales),
    ] as const;
    multiply(deviceAddressOf(near[0]), deviceAddressOf(near[1]), columns, small);
    await backend.synchronize();
    const bytes = dtype === float32 ? 4 : 2;
    // Sums of the small one may be split otherwise.
    const [found, expected] = [atEnd(out, bytes * rows, bytes * 4), atEnd(small, bytes * columns, bytes * 4)];
    expect(found.some((byte) => byte !== 0)).toBe(true);
    if (dtype === float32)
      for (let i = 0; i < 4; i++) expect(found.readFloatLE(4 * i)).toBeCloseTo(expected.readFloatLE(4 * i), 2);
    else
      for (let i = 0; i < 4; i++)
        expect(Math.abs(found.readUInt16LE(2 * i) - expected.readUInt16LE(2 * i))).toBeLessThanOrEqual(2);
  });
});
