/** Products of LLM.int8(): every kernel in every variant, tiles and their edges, both profiles, tensors in pieces. */
import { type Backend, type Float, type OpName, type Profile, referenceBackend, toFloat32 } from "@halfbyte/core";
import { expect, test } from "vitest";
import type { WebgpuDevice } from "../src/device.js";
import { variantBackends } from "./every-variant.js";
import {
  bytesOf,
  codes,
  dtypes,
  expectSameBytes,
  type Layer,
  normals,
  openInPieces,
  operands,
  profiles,
  tensorOf,
} from "./int8-operands.js";
import { openOrSkip } from "./open.js";

const variantsOfKernel = (device: WebgpuDevice, op: OpName, kernel: string) =>
  variantBackends(device, op).filter((one) => one.kernel.name === kernel);

const operations = ["int8LinearMatmul", "int8MmDequant", "int8ScaledMm", "int8MixedScaledMm"] as const;

/** The integer product of fixed operands. */
const product = (m: number, n: number, k: number) => (backend: Backend) => [
  backend.kernels.int8LinearMatmul({
    a: backend.tensor("int8", [m, k], codes(m * k, m + k)),
    b: backend.tensor("int8", [n, k], codes(n * k, n + k)),
  }).out,
];

const narrowShapes = [
  [1, 1],
  [4, 1024],
  [5, 33],
  [17, 48],
  [33, 530],
  [6, 4112],
] as const;

const tileShapes = [
  [128, 128, 64],
  [9, 1, 1],
  [9, 63, 15],
  [65, 128, 48],
  [40, 33, 700],
  [130, 66, 80],
  [129, 68, 61],
  [200, 257, 200],
  [11, 64, 4],
] as const;

test("products of few rows are exact: every number of them, odd columns, every alignment, every variant", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const { name, backend: one } of variantsOfKernel(device, "int8LinearMatmul", "int8_narrow"))
    for (let m = 1; m <= 8; m++)
      for (const [n, k] of narrowShapes) await expectSameBytes(one, `${name} [${m}, ${n}, ${k}]`, product(m, n, k));
});

test("products in tiles are exact in every variant", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const { name, backend: one } of variantsOfKernel(device, "int8LinearMatmul", "int8_tile"))
    for (const [m, n, k] of tileShapes) await expectSameBytes(one, `${name} [${m}, ${n}, ${k}]`, product(m, n, k));
});

test("products of nothing", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const [m, n, k] of [
    [0, 5, 7],
    [5, 0, 7],
    [9, 5, 0],
    [2, 3, 0],
    [0, 0, 0],
  ] as const)
    await expectSameBytes(backend, `[${m}, ${n}, ${k}]`, product(m, n, k));
});

test("sums wrap as 32-bit integers do, beyond k = 131 071", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const k = 131_073;
  for (const m of [1, 9])
    await expectSameBytes(backend, `m = ${m}`, (one) => [
      one.kernels.int8LinearMatmul({
        a: one.tensor("int8", [m, k], new Int8Array(m * k).fill(-128)),
        b: one.tensor("int8", [1, k], new Int8Array(k).fill(-128)),
      }).out,
    ]);
});

const layers = [
  [1, 7, 33],
  [3, 12, 64],
  [20, 9, 17],
  [70, 68, 32],
  [65, 30, 21],
] as const;

/** The scaled product, and the sums scaled afterwards. */
const scaled = (layer: Layer) => (backend: Backend) => {
  const args = { ...operands(backend, layer), dtype: layer.dtype };
  const { out: a } = backend.kernels.int8LinearMatmul(args);
  return [backend.kernels.int8ScaledMm(args).out, backend.kernels.int8MmDequant({ ...args, a }).out];
};

for (const profile of profiles)
  test(`scaled products have the reference's bits, profile ${profile}, with a bias of each dtype and without`, async (context) => {
    const { backend } = await openOrSkip(context, { operations });
    await using _closed = backend;
    for (const dtype of dtypes)
      for (const [m, n, k] of layers)
        for (const bias of [undefined, ...dtypes])
          await expectSameBytes(
            backend,
            `${dtype} bias ${bias} [${m}, ${n}, ${k}]`,
            scaled({ m, n, k, dtype, bias, profile }),
          );
  });

test("scaled products have the reference's bits in every variant", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const [kernel, m] of [
    ["int8_narrow", 5],
    ["int8_tile", 67],
  ] as const)
    for (const { name, backend: one } of variantsOfKernel(device, "int8ScaledMm", kernel))
      for (const dtype of dtypes)
        for (const n of [9, 66])
          for (const k of [64, 61]) {
            const layer = { m, n, k, dtype, bias: "bfloat16" } as const;
            await expectSameBytes(one, `${name} ${dtype} [${m}, ${n}, ${k}]`, (b) => [
              b.kernels.int8ScaledMm({ ...operands(b, layer), dtype }).out,
            ]);
          }
});

/** Sums and statistics that leave the range of float32, or of its normal numbers, in products or in the result. */
async function scaledExtremes(backend: Backend, dtype: Float, profile: Profile, bias: number | undefined) {
  const sums = Int32Array.from([0, 1, -1, 0x7fffffff, -0x80000000, 16_777_217, -16_777_219, 33_554_435, 100, -7]);
  const stats = Float32Array.from([0, -0, 1e-45, 3e-39, 1e-20, 1e-4, 1, 3e19, 3.4e38]);
  const [m, n] = [stats.length, sums.length];
  const { out } = backend.kernels.int8MmDequant({
    a: backend.tensor(
      "int32",
      [m, n],
      Int32Array.from({ length: m * n }, (_, i) => sums[i % n]!),
    ),
    rowStats: backend.tensor("float32", [m], stats),
    colStats: backend.tensor(
      "float32",
      [n],
      Float32Array.from({ length: n }, (_, i) => stats[(i * 7) % m]!),
    ),
    ...(bias !== undefined && { bias: backend.tensor("float32", [n], new Float32Array(n).fill(bias)) }),
    dtype,
    profile,
  });
  return toFloat32(dtype, (await out.read()) as Float32Array);
}

// As numbers: the sign of NaN is the host's.
test("extreme statistics: subnormal and infinite products, −0, and sums that are not float32", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const profile of profiles)
    for (const dtype of dtypes)
      for (const bias of [undefined, -0, 1e-40, 2.5]) {
        const found = await scaledExtremes(backend, dtype, profile, bias);
        const expected = await scaledExtremes(referenceBackend(), dtype, profile, bias);
        expect(found, `${profile} ${dtype} bias ${bias}`).toEqual(expected);
      }
});

test('profile "cpu" is refused by name', async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const args = {
    ...operands(backend, { m: 2, n: 3, k: 4, dtype: "float32" }),
    dtype: "float32",
    profile: "cpu",
  } as const;
  expect(() => backend.kernels.int8ScaledMm(args)).toThrow(expect.objectContaining({ code: "UNSUPPORTED_KERNEL" }));
});

test("tensors in pieces have the same bits", async (context) => {
  await using backend = await openInPieces(context);
  for (const [m, n, k] of [
    [3, 40, 512],
    [100, 40, 129],
    [70, 130, 192],
    [5, 200, 61],
    [64, 64, 2048],
    [40, 499, 40],
  ] as const) {
    await expectSameBytes(backend, `[${m}, ${n}, ${k}]`, product(m, n, k));
    for (const dtype of dtypes)
      await expectSameBytes(backend, `${dtype} [${m}, ${n}, ${k}]`, scaled({ m, n, k, dtype, bias: "float16" }));
  }
  const wide = { ...operands(backend, { m: 40, n: 999, k: 40, dtype: "float16" }), dtype: "float16" } as const;
  expect(backend.explain("int8ScaledMm", wide)).toMatchObject({ code: "UNSUPPORTED_KERNEL" });
  expect(backend.explain("int8ScaledMm", { ...wide, dtype: "float32" })).toMatchObject({ kernel: "int8_tile" });
  using a = backend.tensor("int8", [1, 4100], new Int8Array(4100));
  expect(backend.explain("int8LinearMatmul", { a, b: a })).toMatchObject({
    code: "UNSUPPORTED_KERNEL",
    message: expect.stringMatching(/4100 codes.*4096/),
  });
});

const roundoff = { float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 } as const;

const mixed = (backend: Backend, layer: Layer, mask: Uint8Array) => {
  const { m, k, dtype } = layer;
  const x = tensorOf(backend, dtype, [m, k], normals(m * k, 7, 8));
  const outlierColumns = backend.tensor("uint8", [k], mask);
  return backend.kernels.int8MixedScaledMm({ ...operands(backend, layer), x, outlierColumns }).out;
};

/** Against the reference, within two roundings to the dtype and those of an f32 sum of `listed` products, of the largest result. */
async function expectMixed(backend: Backend, layer: Layer, mask: Uint8Array): Promise<void> {
  const listed = mask.reduce((count, one) => count + (one === 1 ? 1 : 0), 0);
  const [found, expected] = await Promise.all(
    [backend, referenceBackend()].map(async (one) =>
      toFloat32(layer.dtype, (await mixed(one, layer, mask).read()) as Float32Array),
    ),
  );
  const largest = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const bound = (2 * roundoff[layer.dtype] + (listed + 2) * 2 ** -23) * largest;
  const wrong = found!.findIndex((value, i) => !(Math.abs(value - expected![i]!) <= bound));
  expect(wrong, JSON.stringify(layer)).toBe(-1);
}

const masks = {
  "the last column": (column: number, k: number) => column === k - 1,
  "some columns": (column: number) => column % 7 === 3,
  "every column": () => true,
};

for (const [name, isOutlier] of Object.entries(masks))
  test(`mixed products, outliers in ${name}`, async (context) => {
    const { backend } = await openOrSkip(context, { operations });
    await using _closed = backend;
    for (const profile of profiles)
      for (const [m, n, k] of [...layers, [66, 65, 300] as const])
        for (const dtype of dtypes) {
          const mask = Uint8Array.from({ length: k }, (_, column) => (isOutlier(column, k) ? 1 : 0));
          await expectMixed(backend, { m, n, k, dtype, bias: "float16", profile }, mask);
        }
  });

test("mixed products without outliers are the scaled product to the bit, −0 too; marks other than 1 are none", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  for (const dtype of dtypes)
    for (const n of [4, 5]) {
      const layer = { m: 3, n, k: 16, dtype } as const;
      const zeros = { rowStats: backend.tensor("float32", [3], Float32Array.of(0, -0, 1e-9)) };
      const args = { ...operands(backend, layer), ...zeros };
      const x = tensorOf(backend, dtype, [3, 16], normals(48, 7));
      const outlierColumns = backend.tensor("uint8", [16], new Uint8Array(16).fill(2));
      const { out } = backend.kernels.int8MixedScaledMm({ ...args, x, outlierColumns });
      expect(await bytesOf(out)).toEqual(await bytesOf(backend.kernels.int8ScaledMm({ ...args, dtype }).out));
    }
});

test("mixed products of many columns, and in pieces", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const mask = Uint8Array.from({ length: 9001 }, (_, column) => (column % 1000 === 999 || column > 8997 ? 1 : 0));
  await expectMixed(backend, { m: 2, n: 3, k: 9001, dtype: "float16" }, mask);
  await using inPieces = await openInPieces(context);
  for (const dtype of dtypes)
    for (const [m, n, k] of [
      [70, 130, 192],
      [9, 33, 700],
      [3, 40, 255],
    ] as const)
      await expectMixed(inPieces, { m, n, k, dtype, bias: "float32" }, mask.slice(999 - 100, 999 - 100 + k));
});

test("mixed products in every variant", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const mask = Uint8Array.from({ length: 64 }, (_, column) => (column % 9 === 0 ? 1 : 0));
  for (const [kernel, m] of [
    ["int8_narrow", 4],
    ["int8_tile", 12],
  ] as const)
    for (const { backend: one } of variantsOfKernel(device, "int8MixedScaledMm", kernel))
      await expectMixed(one, { m, n: 6, k: 64, dtype: "bfloat16" }, mask);
});

test("mixed products leave nothing allocated", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const args = operands(backend, { m: 3, n: 5, k: 64, dtype: "float16" });
  const x = tensorOf(backend, "float16", [3, 64], normals(192, 1));
  const outlierColumns = backend.tensor("uint8", [64], new Uint8Array(64).fill(1, 9, 12));
  const { out } = backend.kernels.int8MixedScaledMm({ ...args, x, outlierColumns });
  await out.read();
  for (const tensor of [args.a, args.b, args.rowStats, args.colStats, x, outlierColumns, out]) tensor.dispose();
  expect(device.liveBuffers).toBe(0);
});
