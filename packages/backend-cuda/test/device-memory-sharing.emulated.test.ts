/**
 * Memory of another library on the same device, with an emulated library that plays it: streams wait for each other in both directions, and what is
 * no memory of the device is refused before a kernel could touch it.
 */
import { type Backend, createDynamicMap, openBackend, reference, type Tensor } from "@halfbyte/core";
import { load } from "koffi";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deviceAddressOf, releaseTo, wrapDeviceMemory } from "../src/device-memory.js";
import { emulatedLibrary, noEmulation, openEmulated } from "./emulated.js";

process.env["HALFBYTE_EMULATED_DEVICES"] = "2";

interface Other {
  malloc(device: number, bytes: number): bigint;
  free(memory: bigint): void;
  pinned(bytes: number): bigint;
  stream(device: number): bigint;
  destroy(stream: bigint): void;
  write(stream: bigint | null, target: bigint, host: Uint8Array, bytes: number, milliseconds: number): number;
  read(stream: bigint | null, source: bigint, host: Uint8Array, bytes: number): number;
}

/** Loaded once: the backend's loader gets the same library. */
function otherLibrary(): Other {
  const library = load(emulatedLibrary());
  const bind = (name: string, result: string, parameters: string[]) => library.func(name, result, parameters);
  return {
    malloc: bind("hb_other_malloc", "void *", ["int32_t", "uint64_t"]),
    free: bind("hb_other_free", "void", ["void *"]),
    pinned: bind("hb_other_pinned", "void *", ["uint64_t"]),
    stream: bind("hb_other_stream", "void *", ["int32_t"]),
    destroy: bind("hb_other_stream_destroy", "void", ["void *"]),
    write: bind("hb_other_write", "int32_t", ["void *", "void *", "void *", "uint64_t", "int32_t"]),
    read: bind("hb_other_read", "int32_t", ["void *", "void *", "void *", "uint64_t"]),
  } as unknown as Other;
}

const size = 4096 + 37;
const bytes = size * 4;
const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7) / (1 + (i % 5)));
const asBytes = (array: Float32Array | Uint8Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

let other: Other;
let stream: bigint;

beforeAll(() => {
  if (noEmulation) return;
  other = otherLibrary();
  stream = other.stream(0);
}, 60_000);
afterAll(() => {
  if (!noEmulation) other.destroy(stream);
});
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

async function quantized(backend: Backend, x: ReturnType<typeof wrapped>) {
  const { codes, absmax } = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
  return { codes: await codes.read(), absmax: await absmax.read() };
}

const wrapped = (backend: Backend, address: bigint, given: { stream?: bigint } = {}) =>
  wrapDeviceMemory(backend, { address, dtype: "float32", shape: [size], ...given });

async function expected() {
  await using oracle = await openBackend([reference()], { order: ["reference"] });
  const { codes, absmax } = oracle.kernels.quantize4bit({
    x: oracle.tensor("float32", [size], values),
    format: "nf4",
    blockSize: 64,
  });
  return { codes: await codes.read(), absmax: await absmax.read() };
}

describe("a tensor over another library's memory", () => {
  it("is read after what that library's stream still has to do", async () => {
    await using backend = await openEmulated();
    const address = other.malloc(0, bytes);
    other.write(stream, address, asBytes(values), bytes, 50);
    using x = wrapped(backend, address, { stream });
    expect(await quantized(backend, x)).toEqual(await expected());
    expect(await x.read()).toEqual(values);
    x.dispose();
    await backend.synchronize();
    other.free(address);
  });

  it("the default stream is one too", async () => {
    await using backend = await openEmulated();
    const address = other.malloc(0, bytes);
    other.write(null, address, asBytes(values), bytes, 50);
    using x = wrapped(backend, address, { stream: 0n });
    expect(await x.read()).toEqual(values);
    other.free(address);
  });

  it("is counted as a tensor, and freed by its owner alone", async () => {
    await using backend = await openEmulated();
    const address = other.malloc(0, bytes);
    other.write(stream, address, asBytes(values), bytes, 0);
    const x = wrapped(backend, address, { stream });
    expect(backend.memory()).toMatchObject({ tensors: 1, bytes });
    x.dispose();
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
    await backend.synchronize();
    const seen = new Float32Array(size);
    other.read(stream, address, asBytes(seen), bytes);
    expect(seen).toEqual(values);
    other.free(address);
  });

  it("may be written by an operation, and its owner waits for that", async () => {
    await using backend = await openEmulated();
    const address = other.malloc(0, bytes);
    using x = backend.tensor("float32", [size], values);
    using code = backend.tensor("float32", [256], createDynamicMap());
    const weight = backend.kernels.quantizeBlockwise({ x, code, blockSize: 64 });
    const decode = (out?: ReturnType<typeof wrapped>) =>
      backend.kernels.dequantizeBlockwise({ ...weight, code, blockSize: 64, dtype: "float32" }, out ? { out } : {}).out;
    using out = wrapped(backend, address);
    decode(out);
    releaseTo(backend, stream);
    const seen = new Float32Array(size);
    other.read(stream, address, asBytes(seen), bytes);
    expect(seen).toEqual(await decode().read());
    other.free(address);
  });
});

describe("our memory in another library", () => {
  it("has an address that holds its bytes once the other stream was released to", async () => {
    await using backend = await openEmulated();
    using x = backend.tensor("float32", [size], values);
    releaseTo(backend, stream);
    const seen = new Float32Array(size);
    other.read(stream, deviceAddressOf(x), asBytes(seen), bytes);
    expect(seen).toEqual(values);
  });

  it("is not wrapped a second time", async () => {
    await using backend = await openEmulated();
    using x = backend.tensor("float32", [size], values);
    expect(() => wrapped(backend, deviceAddressOf(x))).toThrow(/this backend's own/);
  });

  it("a disposed tensor has no address", async () => {
    await using backend = await openEmulated();
    const x = backend.tensor("float32", [size], values);
    x.dispose();
    expect(() => deviceAddressOf(x)).toThrow(expect.objectContaining({ code: "TENSOR_DISPOSED" }));
  });
});

describe("what is refused", () => {
  const refusal = (found: RegExp) =>
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(found) });

  it("addresses that are no memory of the device, with what they are", async () => {
    await using backend = await openEmulated();
    const [here, there] = [other.malloc(0, bytes), other.malloc(1, bytes)];
    const cases: [bigint, RegExp][] = [
      [there, /memory of another device/],
      [other.pinned(bytes), /pinned memory of the host/],
      [0x1000n, /no memory that the device knows/],
      [here + 4n, /its end lies in no memory of the device/],
      [0n, /no address/],
      [-16n, /no address/],
    ];
    for (const [address, found] of cases) expect(() => wrapped(backend, address)).toThrow(refusal(found));
    expect(() => wrapDeviceMemory(backend, { address: here + 4n, dtype: "float32", shape: [64] })).toThrow(
      refusal(/not aligned to 16 bytes/),
    );
    expect(backend.memory()).toMatchObject({ tensors: 0 });
    await backend.synchronize();
    for (const address of [here, there]) other.free(address);
  });

  it("memory of the other device is a tensor there", async () => {
    await using backend = await openEmulated({ device: 1 });
    const address = other.malloc(1, bytes);
    const second = other.stream(1);
    other.write(second, address, asBytes(values), bytes, 20);
    using x = wrapped(backend, address, { stream: second });
    expect(await quantized(backend, x)).toEqual(await expected());
    other.destroy(second);
    other.free(address);
  });

  it("a backend without device memory", async () => {
    await using backend = await openBackend([reference()], { order: ["reference"] });
    const why = refusal(/no device memory/);
    expect(() => wrapped(backend, 16n)).toThrow(why);
    expect(() => releaseTo(backend, stream)).toThrow(why);
    expect(() => deviceAddressOf(backend.zeros("float32", [1]))).toThrow(why);
  });

  it("what is no stream, no tensor and no backend", async () => {
    await using backend = await openEmulated();
    const address = other.malloc(0, bytes);
    expect(() => wrapped(backend, address, { stream: -1n })).toThrow(refusal(/no handle of a stream/));
    expect(() => releaseTo(backend, 7 as unknown as bigint)).toThrow(refusal(/7 is no handle of a stream/));
    expect(() => deviceAddressOf({} as Tensor)).toThrow(refusal(/no tensor/));
    expect(() => releaseTo(undefined as unknown as Backend, 0n)).toThrow(refusal(/no device memory/));
    other.free(address);
  });
});
