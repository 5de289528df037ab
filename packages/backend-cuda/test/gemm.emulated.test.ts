/** Matrix products on the emulated device: shapes, alignments and blocks that the specification's cases leave out. */
import { type Backend, createRandom, type Float } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, it } from "vitest";
import { noEmulation } from "./emulated.js";
import {
  decoded,
  expectProduct,
  floats,
  normals,
  type Operands,
  openWithCapability,
  rounded,
  type Sizes,
  type WeightOptions,
  weight4bit,
  withoutTensorCores,
  withTensorCores,
} from "./products.js";

const dtypes = ["float32", "float16", "bfloat16"] as const;
/** Each kernel: one row, two, up to four, up to eight, eight at a time, tiles of both sizes, and one row more than fits. */
const rowCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 32, 33, 65];

let cuda: Backend;

/** The library is built when it is older than its sources. */
const buildMs = 300_000;

function onDevice(capability: string): void {
  beforeAll(async () => {
    if (!noEmulation) cuda = await openWithCapability(capability);
  }, buildMs);
  afterAll(() => cuda?.dispose());
  beforeEach(({ skip }) => {
    if (noEmulation) skip(noEmulation);
  });
}

interface Case extends Sizes {
  readonly dtype?: Float;
  readonly bias?: Float;
  readonly weight?: WeightOptions;
}

async function expectProduct4bit({ m, n, k, dtype = "float32", bias, weight = {} }: Case): Promise<void> {
  const x = rounded(dtype, normals(m * k, 3));
  const addend = bias && rounded(bias, normals(n, 4));
  using quantized = weight4bit(cuda, n, k, weight);
  const args = { x: floats(cuda, dtype, [m, k], x), weight: quantized };
  const { out } = cuda.kernels.gemm4bit(addend ? { ...args, bias: floats(cuda, bias, [n], addend) } : args);
  await expectProduct(out, { m, n, k, x, bias: addend, weight: await decoded(n, k, weight) });
}

describe("gemm4bit without tensor cores", () => {
  onDevice(withoutTensorCores);

  it.for(rowCounts)("%i rows", async (m) => {
    for (const dtype of dtypes) await expectProduct4bit({ m, n: 37, k: 1088, dtype, bias: "float32" });
  });

  it.for([1, 2, 3, 31, 33, 63, 65, 127, 129, 1000])("rows of %i weights, which begin anywhere", async (k) => {
    for (const m of [1, 3, 6, 40]) await expectProduct4bit({ m, n: 11, k, weight: { blockSize: 32 } });
  });

  it.for([1, 3, 4, 5, 32, 33, 64, 65, 130])("%i columns", async (n) => {
    for (const m of [1, 2, 8, 36]) await expectProduct4bit({ m, n, k: 96, bias: "bfloat16", dtype: "float16" });
  });

  it.for([8, 16, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096])(
    "blocks of %i, which straddle rows",
    async (blockSize) => {
      for (const [m, k] of [
        [1, 160],
        [4, 160],
        [7, 161],
        [70, 160],
        [40, 83],
      ] as const)
        await expectProduct4bit({ m, n: 29, k, weight: { blockSize } });
    },
  );

  it.for([1, 4, 64, 256, 5])("nested scales, %i to a scale", async (size) => {
    for (const [m, k] of [
      [1, 192],
      [8, 192],
      [40, 192],
      [3, 77],
    ] as const)
      for (const offset of [0, 0.04]) {
        const weight = { blockSize: 32, nested: { blockSize: size, offset } };
        await expectProduct4bit({ m, n: 21, k, weight, dtype: "bfloat16" });
      }
  });

  it("other tables: af4, and one that nobody knows", async () => {
    const random = createRandom(5);
    const table = Float32Array.from({ length: 16 }, () => random.normal() * 3);
    for (const m of [1, 5, 20])
      for (const weight of [{ format: "af4" }, { format: "fp4" }, { table }])
        await expectProduct4bit({ m, n: 9, k: 128, weight });
  });

  it("a bias of any dtype", async () => {
    for (const dtype of dtypes)
      for (const bias of dtypes) for (const m of [1, 33]) await expectProduct4bit({ m, n: 7, k: 64, dtype, bias });
  });

  it("rows shared by several warps", async () => {
    for (const m of [1, 2]) await expectProduct4bit({ m, n: 5, k: 4096 + 32 });
    for (const m of [4, 8]) await expectProduct4bit({ m, n: 3, k: 2048 + 64 });
  });

  it("rows of x that begin at a multiple of four numbers, of 32 weights none", async () => {
    for (const k of [4, 12, 20, 36, 100]) await expectProduct4bit({ m: 34, n: 6, k, dtype: "float16" });
  });
});

interface DenseCase extends Sizes {
  readonly dtype?: Float;
  readonly weightDtype?: Float;
  readonly bias?: Float;
  readonly transpose?: boolean;
}

async function expectDense({
  m,
  n,
  k,
  dtype = "float32",
  weightDtype = dtype,
  bias,
  transpose = false,
}: DenseCase): Promise<void> {
  const [inner, columns] = transpose ? [n, k] : [k, n];
  const operands: Operands = {
    ...{ m, n, k, transpose },
    x: rounded(dtype, normals(m * inner, 3)),
    weight: rounded(weightDtype, normals(n * k, 5, 0.05)),
    bias: bias && rounded(bias, normals(columns, 4)),
  };
  const args = {
    x: floats(cuda, dtype, [m, inner], operands.x),
    weight: floats(cuda, weightDtype, [n, k], operands.weight),
    transpose,
  };
  const { out } = cuda.kernels.gemm(
    operands.bias ? { ...args, bias: floats(cuda, bias!, [columns], operands.bias) } : args,
  );
  await expectProduct(out, operands);
}

const denseCases = [withoutTensorCores, withTensorCores].flatMap((capability) =>
  [false, true].map((transpose) => ({ capability, transpose })),
);

describe.for(denseCases)("gemm on a device of $capability, transposed: $transpose", ({ capability, transpose }) => {
  onDevice(capability);

  it.for([1, 2, 3, 4, 5, 31, 32, 33, 64, 65])("%i rows", async (m) => {
    for (const dtype of dtypes) await expectDense({ m, n: 37, k: 304, dtype, bias: "float32", transpose });
  });

  it.for([1, 2, 3, 5, 8, 17, 33, 63, 64, 65, 127, 129, 200])("%i weights in a row", async (k) => {
    for (const m of [1, 3, 40]) await expectDense({ m, n: 13, k, transpose });
  });

  it.for([1, 3, 8, 16, 33, 65, 129])("%i rows of weights", async (n) => {
    for (const m of [1, 3, 40]) await expectDense({ m, n, k: 24, dtype: "float16", transpose });
  });

  it("each dtype with each", async () => {
    for (const dtype of dtypes)
      for (const weightDtype of dtypes)
        for (const m of [1, 4, 33])
          await expectDense({ m, n: 19, k: 40, dtype, weightDtype, bias: weightDtype, transpose });
  });
});

describe.for([false, true])("gemm on tensor cores, transposed: %s", (transpose) => {
  onDevice(withTensorCores);

  /** Tiles of 64 and of 128, whole ones and parts; slices of the sum that end early; odd rows of the result. */
  const sizes: readonly Sizes[] = [
    { m: 64, n: 64, k: 64 },
    { m: 128, n: 256, k: 256 },
    { m: 129, n: 264, k: 264 },
    { m: 300, n: 136, k: 200 },
    { m: 70, n: 8, k: 8 },
    { m: 5, n: 72, k: 1032 },
  ];

  it.for(sizes)("$m rows, $n by $k weights", async ({ m, n, k }) => {
    for (const dtype of ["float16", "bfloat16"] as const)
      await expectDense({ m, n, k, dtype, bias: "float32", transpose });
  });

  it("where they do not apply, the result is as good", async () => {
    const tall = { m: 40, n: 24, k: 24 };
    await expectDense({ ...tall, dtype: "float16", weightDtype: "bfloat16", transpose });
    await expectDense({ ...tall, k: 20, dtype: "float16", transpose });
    await expectDense({ ...tall, n: 21, k: 36, dtype: "bfloat16", transpose });
  });
});

describe("gemm on tensor cores", () => {
  it("gives a result of odd rows", async () => {
    cuda = await openWithCapability(withTensorCores);
    for (const n of [1, 7, 65, 131]) await expectDense({ m: 33, n, k: 48, dtype: "float16", bias: "bfloat16" });
    await cuda.dispose();
  });

  it("of compute capability 7.5 takes float16 alone", async () => {
    cuda = await openWithCapability("7.5");
    for (const dtype of dtypes) await expectDense({ m: 40, n: 24, k: 48, dtype });
    await cuda.dispose();
  });
});

describe("many products in a sum", () => {
  onDevice(withoutTensorCores);

  /** All of one sign and nearly the same: every rounding of a long sum errs to one side. */
  const k = 65_536;
  const steady = (size: number) => new Float32Array(size).fill(1 + 2 ** -12 + 2 ** -23);

  it.for([1, 3, 8, 20, 40])("of %i rows keep within the bound", async (m) => {
    const [n, x] = [2, steady(m * k)];
    const weight = new Float32Array(n * k).fill(0.3);
    const dense = { x: floats(cuda, "float32", [m, k], x), weight: floats(cuda, "float32", [n, k], weight) };
    await expectProduct(cuda.kernels.gemm(dense).out, { m, n, k, x, weight });
    const table = new Float32Array(16).fill(0.7);
    using quantized = weight4bit(cuda, n, k, { table, blockSize: 4096 });
    const out = cuda.kernels.gemm4bit({ x: dense.x, weight: quantized }).out;
    await expectProduct(out, { m, n, k, x, weight: await decoded(n, k, { table, blockSize: 4096 }) });
  });
});
