/** A weight of 1.5 GiB with bindings of 128 MiB, which is what every WebGPU device has. Takes up to 3 GiB of memory. */
import { randomBytes } from "node:crypto";
import {
  type Backend,
  createQuantizedTensor,
  dequantize,
  getFormat,
  type QuantizedTensor,
  referenceBackend,
  storageOf,
  type Tensor,
} from "@halfbyte/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { uploadTensor } from "../../core/src/backend.js";
import { plan } from "../src/index.js";
import { webgpuDeviceOf } from "../src/variants-of.js";
import { adapterReason } from "./adapter-reason.js";
import { openFew } from "./large.js";

const MiB = 2 ** 20;
const uploadBytes = 16 * MiB;
const noAdapter = await adapterReason();
let backend: Backend;

beforeEach(async ({ skip }) => {
  if (noAdapter) skip(noAdapter);
  const operations = ["dequantize4bit", "dequantizeBlockwise", "gemm4bit"] as const;
  backend = await openFew({ tier: "t0", pieceBytes: 128 * MiB, operations });
});
afterEach(async () => {
  await backend?.dispose();
});

/** Repeats late, and not at a piece. */
const pattern = randomBytes(uploadBytes + 4099);

function patternAt(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const from = (offset + done) % pattern.length;
    const part = pattern.subarray(from, Math.min(pattern.length, from + length - done));
    bytes.set(part, done);
    done += part.length;
  }
  return bytes;
}

const scaleOf = (block: number): number => 0.5 + (block % 1021) / 1024;
const scalesAt = (block: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => scaleOf(block + i));

async function* inPieces(byteLength: number, at: (offset: number, length: number) => Uint8Array) {
  for (let offset = 0; offset < byteLength; offset += uploadBytes)
    yield at(offset, Math.min(uploadBytes, byteLength - offset));
}

async function weightOf(shape: readonly [number, number]): Promise<QuantizedTensor> {
  const size = shape[0] * shape[1];
  const codes = await uploadTensor(backend, "uint8", [size / 2], inPieces(size / 2, patternAt));
  const scales = (offset: number, length: number) => new Uint8Array(scalesAt(offset / 4, length / 4).buffer);
  const absmax = await uploadTensor(backend, "float32", [size / 64], inPieces(size / 16, scales));
  return createQuantizedTensor({
    format: "nf4",
    shape,
    dtype: "bfloat16",
    blockSize: 64,
    codes,
    scales: { kind: "block", absmax },
  });
}

/** Beside the beginnings of pieces, at the end, and in the middle of nowhere. */
function* offsets(byteLength: number, length: number): Generator<number> {
  for (let piece = 128 * MiB; piece < byteLength; piece += 128 * MiB) yield piece - length / 2;
  yield* [0, byteLength - length, Math.floor(byteLength / 3 / length) * length];
}

async function readAt(tensor: Tensor, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await webgpuDeviceOf(backend)!.read(storageOf(tensor), offset, bytes);
  return bytes;
}

test("1.5 GiB of codes go up in pieces, and are what plan() said", async () => {
  const shape = [32_768, 98_304] as const;
  const planned = plan(backend, [{ name: "w", shape, format: "nf4" }]);
  expect(planned).toMatchObject({ fits: true, largestBuffer: 128 * MiB, pieces: 14 });
  using weight = await weightOf(shape);
  expect(backend.memory().bytes).toBe(planned.byteLength);
  expect(webgpuDeviceOf(backend)!.liveBuffers).toBe(planned.pieces);
  expect(weight.codes.byteLength).toBe(1536 * MiB);
  for (const offset of offsets(weight.codes.byteLength, 4096))
    expect(Buffer.compare(await readAt(weight.codes, offset, 4096), patternAt(offset, 4096)), `${offset}`).toBe(0);
  await expectProduct(weight);
});

/** One row times the weight, zero but for some columns: then the host can say what every output is. */
async function expectProduct(weight: QuantizedTensor): Promise<void> {
  const [rows, columns] = weight.shape as [number, number];
  const used = [0, 1, 65, 4097, 50_000, columns - 1];
  const values = new Float32Array(columns);
  for (const [i, column] of used.entries()) values[column] = 1 + i / 4;
  using x = backend.tensor("float32", [1, columns], values);
  expect(backend.explain("gemm4bit", { x, weight })).toMatchObject({ composed: false });
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  const found = await out.read();
  for (let row = 0; row < rows; row++) {
    const expected = used.reduce((sum, column) => sum + values[column]! * weightAt(row * columns + column), 0);
    if (Math.abs(found[row]! - expected) > 1e-5) expect(found[row], `row ${row}`).toBeCloseTo(expected, 5);
  }
}

const { code: nf4 } = getFormat("nf4");

function weightAt(index: number): number {
  const byte = pattern[Math.floor(index / 2) % pattern.length]!;
  return nf4[index % 2 === 0 ? byte >> 4 : byte & 15]! * scaleOf(Math.floor(index / 64));
}

test("what such a weight cannot be decoded into is refused with numbers", () => {
  const shape = [32_768, 98_304];
  const { fits, reason } = plan(backend, [{ shape, format: "nf4", dtype: "float32" }]);
  expect(fits).toBe(false);
  expect(reason!.message).toMatch(/decoded of tensor 0 take 12884901888 bytes; this device allows 8589934592/);
  const inMemory = plan(backend, [{ shape, format: "nf4", dtype: "bfloat16" }], { memoryBytes: 4096 * MiB });
  expect(inMemory.reason).toMatchObject({ code: "OUT_OF_MEMORY" });
});

test("codes are decoded into 1.5 GiB, to the reference's bits", async () => {
  const shape = [8192, 98_304] as const;
  {
    using weight = await weightOf(shape);
    using out = dequantize(weight, { dtype: "bfloat16" });
    expect(out.byteLength).toBe(1536 * MiB);
    for (const offset of offsets(out.byteLength, 4096))
      expect(Buffer.compare(await readAt(out, offset, 4096), await decodedAt(offset / 2, 2048)), `${offset}`).toBe(0);
  }
  await backend.synchronize();
  expect(webgpuDeviceOf(backend)!.liveBuffers).toBe(0);
});

/** By the reference: elements from `begin` on, which starts a block. */
async function decodedAt(begin: number, count: number): Promise<Uint8Array> {
  const host = referenceBackend();
  using part = createQuantizedTensor({
    format: "nf4",
    shape: [count],
    dtype: "bfloat16",
    blockSize: 64,
    codes: host.tensor("uint8", [count / 2], patternAt(begin / 2, count / 2)),
    scales: { kind: "block", absmax: host.tensor("float32", [count / 64], scalesAt(begin / 64, count / 64)) },
  });
  using decoded = dequantize(part);
  return new Uint8Array(((await decoded.read()) as Uint16Array).buffer);
}
