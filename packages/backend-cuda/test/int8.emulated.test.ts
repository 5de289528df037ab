/**
 * LLM.int8() on the emulated device, beyond the specification's cases and golden vectors: both profiles, rows at every alignment, tiles and
 * their edges on GPUs with tensor cores and without, values that are not finite, upstream's rules.
 */
import {
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type NonFinite,
  openBackend,
  type Profile,
  reference,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

let cuda: Backend;
let oracle: Backend;
// It may have to be built first.
beforeAll(async () => {
  if (noEmulation) return;
  cuda = await openEmulated();
  oracle = await openBackend([reference()], { order: ["reference"] });
}, 300_000);
afterAll(async () => {
  await cuda?.dispose();
  await oracle?.dispose();
});
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

/** The device of these tests is another one. */
function useCapability(capability: string): void {
  let usual: Backend;
  beforeAll(async () => {
    if (noEmulation) return;
    usual = cuda;
    process.env["HALFBYTE_EMULATED_CAPABILITY"] = capability;
    cuda = await openEmulated();
  });
  afterAll(async () => {
    delete process.env["HALFBYTE_EMULATED_CAPABILITY"];
    if (noEmulation) return;
    await cuda.dispose();
    cuda = usual;
  });
}

const dtypes = ["float32", "float16", "bfloat16"] as const;

const normals = (size: number, seed: number, scale = 1): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => scale * random.normal());
};

const codes = (size: number, seed: number): Int8Array => {
  const random = createRandom(seed);
  return Int8Array.from({ length: size }, () => -128 + Math.floor(256 * random.uniform()));
};

const tensorOf = (backend: Backend, dtype: Float, shape: readonly number[], values: Float32Array) =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

async function bytesOf(tensor: Tensor): Promise<Uint8Array> {
  const array = await tensor.read();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** What `compute` gives on the emulated device and on the reference, byte by byte. */
async function expectSameBytes(compute: (backend: Backend) => readonly Tensor[]): Promise<void> {
  const [found, expected] = await Promise.all(
    [cuda, oracle].map((backend) => Promise.all(compute(backend).map((tensor) => bytesOf(tensor)))),
  );
  found!.forEach((bytes, i) => void expect(Buffer.compare(bytes, expected![i]!), `result ${i}`).toBe(0));
}

// ── Rows ──

interface Rows {
  readonly x: Float32Array;
  readonly k: number;
  readonly dtype?: Float;
  readonly threshold?: number;
  readonly nonFinite?: NonFinite;
}

function quantized(backend: Backend, { x, k, dtype = "float32", threshold = 0, nonFinite = "error" }: Rows) {
  return backend.kernels.int8VectorwiseQuant({
    x: tensorOf(backend, dtype, [x.length / k, k], x),
    threshold,
    nonFinite,
  });
}

/** Codes, statistics and mask of rows, and the rows decoded again. */
async function expectSameRows(rows: Rows): Promise<void> {
  await expectSameBytes((backend) => {
    const { q, rowStats, outlierColumns } = quantized(backend, rows);
    return [q, rowStats, outlierColumns, backend.kernels.int8VectorwiseDequant({ q, rowStats }).out];
  });
}

describe("rows", () => {
  // A part of a warp, octets that fill a thread block or not, more than one turn, and every alignment of 16-bit and 32-bit rows.
  const lengths = [1, 2, 3, 7, 8, 12, 31, 64, 100, 255, 256, 1001, 4096, 4100, 8200];
  it.for(dtypes)("of every length, %s", async (dtype) => {
    for (const k of lengths)
      for (const threshold of [0, 2.5]) await expectSameRows({ x: normals(5 * k, k), k, dtype, threshold });
  });

  it("many of them", () => expectSameRows({ x: normals(3000 * 8, 3), k: 8, threshold: 2 }));

  it("of zeros give codes 0", async () => {
    await expectSameRows({ x: Float32Array.from({ length: 4 * 40 }, (_, i) => (i < 80 ? 0 : i - 120)), k: 40 });
    const { q, rowStats } = quantized(cuda, { x: Float32Array.of(0, -0, 0, 0, 1, 2, 3, 4), k: 4 });
    expect([...(await q.read())]).toEqual([0, 0, 0, 0, 32, 64, 95, 127]);
    expect([...(await rowStats.read())]).toEqual([0, 4]);
  });

  it("of subnormal numbers, whose reciprocal is infinite, give ±127 and 0", async () => {
    const x = Float32Array.of(1e-40, -1e-42, 0, -1e-40, 1e-45, 0, -0, -1e-45);
    await expectSameRows({ x, k: 4 });
    expect([...(await quantized(cuda, { x, k: 4 }).q.read())]).toEqual([127, -127, 0, -127, 127, 0, 0, -127]);
    for (const scale of [1e-38, 3e-39, 1e-44]) await expectSameRows({ x: normals(8 * 24, 5, scale), k: 24 });
    await expectSameRows({ x: normals(8 * 24, 5, 1e-7), k: 24, dtype: "float16" });
  });

  it("round ties to even", async () => {
    // The scale is exactly 1: 127 · (1 / 127).
    const x = Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5);
    await expectSameRows({ x, k: 8 });
    await expectSameRows({ x: Float32Array.from({ length: 512 }, (_, i) => (i === 0 ? 127 : i / 4 - 64)), k: 512 });
  });

  it("name the lowest index of a value that is not finite", async () => {
    const x = normals(6 * 37, 1);
    [x[150], x[77], x[78], x[200]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
    for (const threshold of [0, 1]) {
      const { q } = quantized(cuda, { x, k: 37, threshold });
      await expect(q.read()).rejects.toMatchObject({ code: "NON_FINITE_INPUT", details: { index: 77 } });
    }
  });

  it.for([0, 2.5])("propagate values that are not finite as the reference does, threshold %d", async (threshold) => {
    for (const k of [40, 37]) {
      const x = normals(6 * k, 1);
      [x[3], x[k], x[k + 1], x[3 * k]] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
      x.fill(Number.NaN, 4 * k, 5 * k);
      for (const dtype of dtypes) await expectSameRows({ x, k, dtype, threshold, nonFinite: "propagate" });
    }
  });
});

// ── Products ──

const product = (m: number, n: number, k: number) => (backend: Backend) => [
  backend.kernels.int8LinearMatmul({
    a: backend.tensor("int8", [m, k], codes(m * k, m + k)),
    b: backend.tensor("int8", [n, k], codes(n * k, n + k)),
  }).out,
];

/** Tensor cores for bytes, with asynchronous copies and without, and none. The emulated device has four multiprocessors, which two large tiles keep half busy. */
const capabilities = ["9.0", "7.5", "7.0"] as const;

describe.for(capabilities)("integer products, compute capability %s", (capability) => {
  useCapability(capability);

  it("of few rows: every number of them, odd columns, every alignment", async () => {
    const shapes = [
      [1, 1],
      [17, 48],
      [5, 33],
      [33, 530],
      [4, 1024],
    ] as const;
    for (let m = 1; m <= 8; m++) for (const [n, k] of shapes) await expectSameBytes(product(m, n, k));
  });

  it.for([
    [128, 128, 64],
    [9, 1, 1],
    [9, 63, 15],
    [65, 128, 48],
    [40, 33, 700],
    [20, 33, 1600],
    [130, 66, 80],
    [129, 68, 61],
    [200, 257, 200],
    [40, 64, 4],
    [1100, 130, 16],
  ] as const)("of tiles: %d rows, %d columns, k = %d", ([m, n, k]) => expectSameBytes(product(m, n, k)));

  it("wrap as 32-bit integers do, beyond k = 131 071", async () => {
    const k = 131_073;
    for (const m of [1, 9]) {
      const [a, b] = [new Int8Array(m * k).fill(-128), new Int8Array(k).fill(-128)];
      await expectSameBytes((backend) => {
        const args = { a: backend.tensor("int8", [m, k], a), b: backend.tensor("int8", [1, k], b) };
        return [backend.kernels.int8LinearMatmul(args).out];
      });
    }
  });
});

// ── Scaled and mixed products ──

interface Layer {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Float;
  readonly bias?: Float | undefined;
  readonly profile: Profile;
}

function operands(backend: Backend, { m, n, k, bias, profile }: Layer) {
  const positive = (size: number, seed: number) => normals(size, seed).map((value) => Math.abs(value) + 0.1);
  return {
    a: backend.tensor("int8", [m, k], codes(m * k, 1)),
    b: backend.tensor("int8", [n, k], codes(n * k, 2)),
    rowStats: backend.tensor("float32", [m], positive(m, 3)),
    colStats: backend.tensor("float32", [n], positive(n, 4)),
    profile,
    ...(bias ? { bias: tensorOf(backend, bias, [n], normals(n, 5)) as Tensor<Float> } : {}),
  };
}

const profiles = ["reference", "cuda"] as const;
const shapes = [
  [1, 7, 33],
  [3, 12, 64],
  [20, 9, 17],
  [130, 68, 32],
  [65, 30, 21],
] as const;

const everyWay = profiles.flatMap((profile) => capabilities.map((capability) => ({ profile, capability })));
describe.for(everyWay)(
  "scaled products, profile $profile, compute capability $capability",
  ({ profile, capability }) => {
    useCapability(capability);

    it.for(dtypes)("to %s have the reference's bits, with a bias of each dtype and without", async (dtype) => {
      for (const [m, n, k] of shapes)
        for (const bias of [undefined, ...dtypes]) {
          const layer = { m, n, k, dtype, bias, profile };
          await expectSameBytes((backend) => {
            const args = { ...operands(backend, layer), dtype };
            const { out: a } = backend.kernels.int8LinearMatmul(args);
            return [backend.kernels.int8ScaledMm(args).out, backend.kernels.int8MmDequant({ ...args, a }).out];
          });
        }
    });
  },
);

const roundoff = { float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 } as const;

/** Against the reference, within two roundings to the dtype and those of an f32 sum of `listed` products, of the largest result. */
async function expectMixed(layer: Layer, mask: Uint8Array): Promise<void> {
  const { m, k, dtype } = layer;
  const listed = mask.reduce((count, one) => count + one, 0);
  const [found, expected] = await Promise.all(
    [cuda, oracle].map(async (backend) => {
      const x = tensorOf(backend, dtype, [m, k], normals(m * k, 7, 8));
      const outlierColumns = backend.tensor("uint8", [k], mask);
      const { out } = backend.kernels.int8MixedScaledMm({ ...operands(backend, layer), x, outlierColumns });
      return toFloat32(dtype, await out.read());
    }),
  );
  const largest = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const bound = (2 * roundoff[dtype] + (listed + 2) * 2 ** -23) * largest;
  found!.forEach((value, i) => void expect(Math.abs(value - expected![i]!), `element ${i}`).toBeLessThanOrEqual(bound));
}

describe.for(profiles)("mixed products, profile %s", (profile) => {
  const masks = {
    "no outlier": () => false,
    "the last column": (column: number, k: number) => column === k - 1,
    "some columns": (column: number) => column % 7 === 3,
    "every column": () => true,
  };
  it.for(Object.entries(masks))("%s", async ([, isOutlier]) => {
    for (const [m, n, k] of [...shapes, [66, 65, 300] as const])
      for (const dtype of dtypes) {
        const mask = Uint8Array.from({ length: k }, (_, column) => (isOutlier(column, k) ? 1 : 0));
        await expectMixed({ m, n, k, dtype, bias: "float16", profile }, mask);
      }
  });

  it("lists outliers in turns when there are many columns", async () => {
    const k = 9000;
    const mask = Uint8Array.from({ length: k }, (_, column) => (column % 1000 === 999 || column === 4096 ? 1 : 0));
    await expectMixed({ m: 2, n: 3, k, dtype: "float16", profile }, mask);
  });

  it("gathers the columns when there are several rows of tiles, unless they are too many", async () => {
    const [m, n, k] = [70, 5, 150];
    for (const dtype of dtypes)
      for (const last of [10, 127, 128, 150]) {
        const mask = Uint8Array.from({ length: k }, (_, column) => (column < last ? 1 : 0));
        await expectMixed({ m, n, k, dtype, profile }, mask);
      }
  });

  it("without outliers are the scaled product to the bit, −0 too", async () => {
    const [m, n, k] = [3, 4, 16];
    const layer = { m, n, k, dtype: "float16", profile } as const;
    const args = { ...operands(cuda, layer), rowStats: cuda.tensor("float32", [m], Float32Array.of(0, -0, 1e-9)) };
    const x = tensorOf(cuda, "float16", [m, k], normals(m * k, 7));
    const mixed = cuda.kernels.int8MixedScaledMm({ ...args, x, outlierColumns: cuda.zeros("uint8", [k]) }).out;
    const scaled = cuda.kernels.int8ScaledMm({ ...args, dtype: "float16" }).out;
    expect(await bytesOf(mixed)).toEqual(await bytesOf(scaled));
  });

  it("keep no memory", async () => {
    const before = cuda.memory();
    {
      const layer = { m: 9, n: 4, k: 16, dtype: "float32", profile } as const;
      const args = operands(cuda, layer);
      const x = tensorOf(cuda, "float32", [9, 16], normals(9 * 16, 7));
      const outlierColumns = cuda.tensor("uint8", [16], new Uint8Array(16).fill(1));
      const { out } = cuda.kernels.int8MixedScaledMm({ ...args, x, outlierColumns });
      await out.read();
      for (const tensor of [args.a, args.b, args.rowStats, args.colStats, x, outlierColumns, out]) tensor.dispose();
    }
    expect(cuda.memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  });
});

// ── What upstream does (specification §2.10) ──

describe("upstream's LLM.int8()", () => {
  const x = Float32Array.of(1, 8, -2, 0.5, 3, 1, 4, -7);

  it("row absmax: the largest magnitude below the threshold, of all without one", async () => {
    const stats = async (threshold: number) => [...(await quantized(cuda, { x, k: 4, threshold }).rowStats.read())];
    expect(await stats(0)).toEqual([8, 7]);
    expect(await stats(6)).toEqual([2, 4]);
    // A value at the threshold is an outlier.
    expect(await stats(4)).toEqual([2, 3]);
  });

  it("outlier columns: any row reaches the threshold", async () => {
    expect([...(await quantized(cuda, { x, k: 4, threshold: 6 }).outlierColumns.read())]).toEqual([0, 1, 0, 1]);
    expect([...(await quantized(cuda, { x, k: 4 }).outlierColumns.read())]).toEqual([0, 0, 0, 0]);
  });

  it("several rows: whole columns of codes are 0; one row: the outliers alone", async () => {
    expect([...(await quantized(cuda, { x, k: 4, threshold: 6 }).q.read())]).toEqual([64, 0, -127, 0, 95, 0, 127, 0]);
    expect([...(await quantized(cuda, { x: x.slice(0, 4), k: 4, threshold: 6 }).q.read())]).toEqual([64, 0, -127, 32]);
  });

  it("every column an outlier: codes 0, statistics 0, the product is the outliers'", async () => {
    const all = x.map((value) => Math.sign(value) * 9);
    const { q, rowStats, outlierColumns } = quantized(cuda, { x: all, k: 4, threshold: 6 });
    expect([...(await q.read()), ...(await rowStats.read())]).toEqual(Array.from({ length: 10 }, () => 0));
    const { out } = cuda.kernels.int8MixedScaledMm({
      x: tensorOf(cuda, "float32", [2, 4], all),
      a: q,
      b: cuda.tensor("int8", [1, 4], Int8Array.of(127, 127, 127, -127)),
      rowStats,
      colStats: cuda.tensor("float32", [1], Float32Array.of(1)),
      outlierColumns,
    });
    expect([...(await out.read())]).toEqual([0, 36]);
  });

  it("profile cuda: float16 whatever the output is, a float16 bias fused, another one added after", async () => {
    const args = {
      a: cuda.tensor("int32", [1, 1], Int32Array.of(1_000_003)),
      rowStats: cuda.tensor("float32", [1], Float32Array.of(1.1)),
      colStats: cuda.tensor("float32", [1], Float32Array.of(0.3)),
      dtype: "float32",
      profile: "cuda",
    } as const;
    const half = (value: number) => toFloat32("float16", fromFloat32("float16", Float32Array.of(value)))[0]!;
    const scaled = 1_000_003 * Math.fround(1.1) * Math.fround(0.3) * 6.200012e-5;
    const read = async (bias?: Tensor<Float>) =>
      (await cuda.kernels.int8MmDequant({ ...args, ...(bias ? { bias } : {}) }).out.read())[0];
    const addend = Float32Array.of(0.0078125);
    expect(await read()).toBe(half(scaled));
    expect(await read(tensorOf(cuda, "float16", [1], addend))).toBe(half(scaled + 0.0078125));
    expect(await read(tensorOf(cuda, "float32", [1], addend))).toBe(half(half(scaled) + 0.0078125));
  });

  it("no K is refused: rows that are no multiple of four are multiplied too", () => expectSameBytes(product(3, 5, 7)));
});
