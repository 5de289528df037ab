/** Codes and scales of the reference kernels, bit for bit: every format, block size, dtype and profile, whole or in pieces. */
import {
  type Backend,
  createDynamicMap,
  createFp8Map,
  createLinearMap,
  createRandom,
  deviceOf,
  type Float,
  formatNames,
  fromFloat32,
  getFormat,
  type NonFinite,
  openBackend,
  type Profile,
  referenceBackend,
  registerFormat,
  type Tensor,
  tableFormat,
} from "@halfbyte/core";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { WebgpuDevice } from "../src/device.js";
import { type WebgpuOptions, webgpu } from "../src/index.js";
import { adversarialBlocks } from "./exact-blocks.js";
import { floatsOf } from "./exact-patterns.js";
import { skipWithoutAdapter } from "./open.js";

const operations = [
  "quantize4bit",
  "quantizeBlockwise",
  "dequantize4bit",
  "dequantizeBlockwise",
  "quantizationError",
] as const;

const random = createRandom(31);
const sorted = Float32Array.from({ length: 16 }, () => random.uniform() * 2 - 1).sort();
const unsorted = Float32Array.from({ length: 16 }, (_, i) => Math.fround(Math.sin(7 * i)));
/** Registered at run time; one has block sizes that are no power of two, and thresholds beyond one. */
const wild = Float32Array.from({ length: 16 }, (_, i) => (i - 7) / 5);
registerFormat(tableFormat("test-sorted", sorted, "this test"));
registerFormat(tableFormat("test-unsorted", unsorted, "this test"));
registerFormat({
  ...tableFormat("test-wild", wild, "this test"),
  blockSizes: [2, 6, 8, 30, 100, 2048, 8192],
  defaultBlockSize: 2,
});
const formats = formatNames().filter((name) => getFormat(name).bits === 4);

const shuffled = createLinearMap().map((_, i, map) => map[(i * 37) % 256]!);
const maps: Readonly<Record<string, Float32Array>> = {
  signed: createDynamicMap(),
  unsigned: createDynamicMap({ signed: false }),
  linear: createLinearMap(),
  fp8: createFp8Map({ exponentBits: 4, precisionBits: 3 }),
  fromMinusOne: Float32Array.from({ length: 256 }, (_, i) => -1 + i / 127.5),
  beyondOne: Float32Array.from({ length: 256 }, (_, i) => (i - 128) / 100),
  repeated: Float32Array.from({ length: 256 }, (_, i) => Math.floor(i / 4) / 64),
  shuffled,
};

interface Values {
  readonly data: Float32Array;
  readonly dtype: Float;
}
interface Rule {
  readonly blockSize: number;
  readonly profile: Profile;
  readonly nonFinite?: NonFinite;
}
interface Coded {
  readonly codes: Tensor<"uint8">;
  readonly absmax: Tensor<"float32">;
}
type Quantize = (backend: Backend, x: Tensor<Float>) => Coded;

const as4bit =
  (format: string, rule: Rule): Quantize =>
  ({ kernels }, x) =>
    kernels.quantize4bit({ x, format, ...rule });

const blockwise =
  (map: string, rule: Rule): Quantize =>
  (backend, x) => {
    using code = backend.tensor("float32", [256], maps[map]!);
    return backend.kernels.quantizeBlockwise({ x, code, ...rule });
  };

async function bytesOf(
  backend: Backend,
  { data, dtype }: Values,
  quantize: Quantize,
): Promise<[Uint8Array, Uint32Array]> {
  using x = backend.tensor(dtype, [data.length], fromFloat32(dtype, data));
  const { codes, absmax } = quantize(backend, x);
  try {
    const scales = await absmax.read();
    return [await codes.read(), new Uint32Array(scales.buffer, scales.byteOffset, scales.length)];
  } finally {
    codes.dispose();
    absmax.dispose();
  }
}

async function expectSame(backend: Backend, values: Values, quantize: Quantize, what = ""): Promise<void> {
  const [codes, absmax] = await bytesOf(backend, values, quantize);
  const [wantedCodes, wantedAbsmax] = await bytesOf(referenceBackend(), values, quantize);
  expect(firstDifference(absmax, wantedAbsmax), `absmax ${what}`).toBeUndefined();
  expect(firstDifference(codes, wantedCodes), `codes ${what}`).toBeUndefined();
}

function firstDifference(found: Uint8Array | Uint32Array, wanted: Uint8Array | Uint32Array): string | undefined {
  if (found.length !== wanted.length) return `${found.length} instead of ${wanted.length}`;
  const i = found.findIndex((value, index) => value !== wanted[index]);
  return i < 0 ? undefined : `${i}: ${found[i]} instead of ${wanted[i]}`;
}

const kinds = ["normal", "wide", "subnormal", "huge", "zeros", "sixteenths"] as const;

/** Blocks of any kind, negative zeros among them. */
function valuesOf(size: number, kind: (typeof kinds)[number], seed: number): Float32Array {
  const { normal, uniform } = createRandom(seed);
  const value = {
    normal,
    wide: () => normal() * 2 ** Math.floor(uniform() * 60 - 30),
    subnormal: () => normal() * 1e-40,
    huge: () => Math.max(-1, Math.min(1, normal() / 3)) * 3.4e38,
    zeros: () => (uniform() < 0.9 ? (uniform() - 0.5) * 0 : normal()),
    // Whole fractions of the block's maximum: ties.
    sixteenths: () => Math.round(uniform() * 32 - 16) / 16,
  }[kind];
  return Float32Array.from({ length: size }, value);
}

const anyValues = fc
  .record({
    size: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 130, max: 9000 })),
    kind: fc.constantFrom(...kinds),
    dtype: fc.constantFrom<Float>("float32", "float16", "bfloat16"),
    seed: fc.nat(2 ** 31),
  })
  .map(({ size, kind, dtype, seed }): Values => {
    const largest = dtype === "float16" ? 65_504 : 3.38e38;
    return { data: valuesOf(size, kind, seed).map((x) => Math.max(-largest, Math.min(largest, x))), dtype };
  });
const anyProfile = fc.constantFrom<Profile>("reference", "cuda");

const ways: readonly (readonly [string, WebgpuOptions])[] = [
  ["all features", {}],
  ["t0", { tier: "t0" }],
  ["pieces of 64 KiB", { pieceBytes: 65_536 }],
];

describe.for(ways)("quantizing on WebGPU, %s", ([, options]) => {
  let backend: Backend | undefined;

  beforeAll(async () => {
    if ((await webgpu().detect()).available)
      backend = await openBackend([webgpu({ operations, ...options })], { order: ["webgpu"] });
  });
  beforeEach(skipWithoutAdapter);
  afterAll(() => backend?.dispose());

  it("quantize4bit", async () => {
    const property = fc.asyncProperty(
      anyValues,
      fc.constantFrom(...formats),
      fc.nat(7),
      anyProfile,
      async (values, format, pick, profile) => {
        const { blockSizes } = getFormat(format);
        const blockSize = blockSizes[pick % blockSizes.length]!;
        await expectSame(backend!, values, as4bit(format, { blockSize, profile }), `${format} ${blockSize} ${profile}`);
      },
    );
    await fc.assert(property, { numRuns: 60, seed: 6 });
  });

  it("quantizeBlockwise", async () => {
    const property = fc.asyncProperty(
      anyValues,
      fc.constantFrom(...Object.keys(maps)),
      fc.oneof(fc.constantFrom(32, 64, 256, 2048, 4096, 20_000), fc.integer({ min: 1, max: 300 })),
      anyProfile,
      async (values, map, blockSize, profile) =>
        expectSame(backend!, values, blockwise(map, { blockSize, profile }), `${map} ${blockSize} ${profile}`),
    );
    await fc.assert(property, { numRuns: 60, seed: 7 });
  });

  it("values near every threshold, for absmax of all magnitudes", async () => {
    for (const format of formats)
      for (const profile of ["reference", "cuda"] as const) {
        const data = floatsOf(adversarialBlocks(getFormat(format), 64, 1 << 10) as Uint32Array<ArrayBuffer>);
        const blockSize = getFormat(format).blockSizes.includes(64) ? 64 : 8;
        await expectSame(
          backend!,
          { data, dtype: "float32" },
          as4bit(format, { blockSize, profile }),
          `${format} ${profile}`,
        );
      }
  });

  it("NaN and Infinity propagate as in the reference", async () => {
    const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const dtype of ["float32", "bfloat16", "float16"] as const)
      for (const profile of ["reference", "cuda"] as const) {
        const data = valuesOf(1003, "normal", 9).map((value, i) =>
          i % 97 === 5 ? specials[i % 3]! : i > 640 && i < 768 ? 0 : value,
        );
        data[1002] = Number.NaN;
        data[700] = Number.NaN;
        const rule = { profile, nonFinite: "propagate" } as const;
        for (const format of formats)
          for (const blockSize of getFormat(format).blockSizes.slice(0, 2))
            await expectSame(
              backend!,
              { data, dtype },
              as4bit(format, { ...rule, blockSize }),
              `${format} ${dtype} ${profile}`,
            );
        for (const blockSize of [64, 100])
          await expectSame(
            backend!,
            { data, dtype },
            blockwise("signed", { ...rule, blockSize }),
            `${dtype} ${profile}`,
          );
      }
  });

  it.for([
    ["quantize4bit in tiles", as4bit("nf4", { blockSize: 64, profile: "reference" })],
    ["quantize4bit in two passes", as4bit("nf4", { blockSize: 4096, profile: "reference" })],
    ["quantizeBlockwise in tiles", blockwise("signed", { blockSize: 256, profile: "reference" })],
    ["quantizeBlockwise in two passes", blockwise("signed", { blockSize: 100, profile: "cuda" })],
  ] as const)("the first value that is not finite is told: %s", async ([, quantize]) => {
    for (const at of [[0], [77_777, 30_001], [99_999]]) {
      const data = new Float32Array(100_000).fill(1);
      for (const index of at) data[index] = index % 2 ? Number.NaN : Number.NEGATIVE_INFINITY;
      using x = backend!.tensor("float32", [data.length], data);
      const { codes, absmax } = quantize(backend!, x);
      const error = { code: "NON_FINITE_INPUT", details: { index: Math.min(...at) } };
      await expect(codes.read()).rejects.toMatchObject(error);
      await expect(absmax.read()).rejects.toMatchObject(error);
      codes.dispose();
      absmax.dispose();
    }
  });

  it("large tensors", async () => {
    for (const [dtype, size] of [
      ["float32", 100_001],
      ["float16", 77_777],
      ["bfloat16", 140_000],
    ] as const) {
      const values = { data: valuesOf(size, "normal", 4), dtype };
      await expectSame(backend!, values, as4bit("nf4", { blockSize: 64, profile: "reference" }), dtype);
      await expectSame(backend!, values, as4bit("test-wild", { blockSize: 100, profile: "reference" }), dtype);
      await expectSame(backend!, values, blockwise("signed", { blockSize: 256, profile: "reference" }), dtype);
      await expectSame(backend!, values, blockwise("unsigned", { blockSize: 77, profile: "cuda" }), dtype);
    }
  });

  it("leaves no buffer behind, and refuses profile cpu", async () => {
    await backend!.synchronize().catch(() => undefined);
    using x = backend!.tensor("float32", [64], new Float32Array(64));
    expect(backend!.explain("quantize4bit", { x, format: "nf4", blockSize: 64, profile: "cpu" })).toMatchObject({
      code: "UNSUPPORTED_KERNEL",
    });
    expect((deviceOf(backend!) as WebgpuDevice).liveBuffers).toBe(1);
  });
});
