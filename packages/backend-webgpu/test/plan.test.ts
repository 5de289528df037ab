/** plan(): what tensors take, before they are made; and that they take it. */
import { type Backend, quantize, referenceBackend } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { WebgpuDevice } from "../src/device.js";
import { plan } from "../src/index.js";
import { webgpuDeviceOf } from "../src/variants-of.js";
import { adapterReason } from "./adapter-reason.js";
import { openFew } from "./large.js";

const noAdapter = await adapterReason();
let backend: Backend;
let device: WebgpuDevice;

beforeAll(async () => {
  if (noAdapter) return;
  backend = await openFew({ pieceBytes: 65_536 });
  device = webgpuDeviceOf(backend)!;
});
afterAll(async () => {
  await backend?.dispose();
});
beforeEach(({ skip }) => {
  if (noAdapter) skip(noAdapter);
});

describe("what tensors take", () => {
  test("a weight: codes, scales, and what it is decoded into", () => {
    const { tensors, fits } = plan(backend, [{ name: "w", shape: [512, 1024], format: "nf4", dtype: "bfloat16" }]);
    expect(fits).toBe(true);
    expect(tensors[0]!.parts.map(({ role, dtype, byteLength, pieces }) => [role, dtype, byteLength, pieces])).toEqual([
      ["codes", "uint8", 262_144, 4],
      ["absmax", "float32", 32_768, 1],
      ["decoded", "bfloat16", 1_048_576, 16],
    ]);
    expect(tensors[0]).toMatchObject({ name: "w", pieces: 21, largestBuffer: 65_536, allocatedBytes: 1_343_488 });
  });

  test("nested scales, rows, plain tensors", () => {
    const wanted = [
      { shape: [1000, 100], format: "nf4", blockSize: 128, nested: true },
      { shape: [1000, 100], format: "int8-rowwise" },
      { shape: [7], dtype: "float32" },
    ] as const;
    const roles = plan(backend, wanted).tensors.map(({ parts }) => parts.map((part) => [part.role, part.byteLength]));
    expect(roles).toEqual([
      [
        ["codes", 50_000],
        ["absmax", 782],
        ["nestedAbsmax", 16],
        ["nestedCode", 1024],
      ],
      [
        ["codes", 100_000],
        ["absmax", 4000],
      ],
      [["data", 28]],
    ]);
  });

  test("is what is allocated", async () => {
    for (const nested of [false, true])
      for (const size of [1, 129, 70_001, 300_000]) {
        const before = device.liveBuffers;
        using x = referenceBackend().tensor("float32", [size], new Float32Array(size).fill(0.5));
        using weight = await quantize(x, { format: "nf4", nested });
        using moved = await weight.to(backend);
        const planned = plan(backend, [{ shape: moved.shape, format: "nf4", nested }]);
        expect(planned.pieces, `${size}`).toBe(device.liveBuffers - before);
        expect(planned.byteLength).toBe(backend.memory().bytes);
      }
  });
});

describe("what does not fit", () => {
  test("is said with numbers, of one tensor and of all", () => {
    const large = plan(backend, [
      { shape: [8], dtype: "uint8" },
      { name: "w", shape: [4096, 4096], format: "nf4" },
    ]);
    expect(large.fits).toBe(false);
    expect(large.tensors.map(({ fits }) => fits)).toEqual([true, false]);
    expect(large.reason).toMatchObject({ code: "OUT_OF_MEMORY", remedy: expect.stringMatching(/rows/) });
    expect(large.reason!.message).toMatch(/codes of w take 8388608 bytes; this device allows 4194304/);
    const wanted = [{ shape: [1024, 1024], format: "nf4" }];
    expect(plan(backend, wanted, { memoryBytes: 600_000 }).fits).toBe(true);
    const all = plan(backend, [...wanted, ...wanted], { memoryBytes: 600_000 });
    expect(all.tensors.every(({ fits }) => fits)).toBe(true);
    expect(all.reason).toMatchObject({
      code: "OUT_OF_MEMORY",
      message: expect.stringMatching(/1179648 bytes.*600000/),
    });
  });

  test("is also what allocating would say", () => {
    const shape = [4096, 4096];
    expect(plan(backend, [{ shape, dtype: "uint8" }]).fits).toBe(false);
    expect(() => backend.zeros("uint8", shape)).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
  });
});

test("what is no tensor is a typed error", () => {
  const code = (wanted: object) => {
    try {
      return plan(backend, [wanted as never]);
    } catch (thrown) {
      return (thrown as { code: string }).code;
    }
  };
  expect(code({ shape: [-1], dtype: "float32" })).toBe("INVALID_SHAPE");
  expect(code({ shape: [2 ** 40, 2 ** 40], dtype: "float32" })).toBe("INVALID_SHAPE");
  expect(code({ shape: [1.5], format: "nf4" })).toBe("INVALID_SHAPE");
  expect(code({ shape: [1], dtype: "float64" })).toBe("DTYPE_MISMATCH");
  expect(code({ shape: [1] })).toBe("DTYPE_MISMATCH");
  expect(code({ shape: [1], format: "nf5" })).toBe("UNKNOWN_FORMAT");
  expect(code({ shape: [1], format: "nf4", blockSize: 63 })).toBe("UNSUPPORTED_BLOCK_SIZE");
  expect(code({ shape: [1, 1], format: "int8-rowwise", nested: true })).toBe("INVALID_ARGUMENT");
  expect(code({ shape: [1], format: "int8-rowwise" })).toBe("INVALID_ARGUMENT");
  expect(() => plan(backend, [], { memoryBytes: Number.NaN })).toThrow(/memoryBytes/);
  expect(() => plan(referenceBackend(), [])).toThrow(expect.objectContaining({ code: "WRONG_BACKEND" }));
});

test("nothing is a plan too", () => {
  expect(plan(backend, [])).toMatchObject({ byteLength: 0, pieces: 0, fits: true, reason: undefined });
});
