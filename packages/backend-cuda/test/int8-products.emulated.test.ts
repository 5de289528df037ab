/**
 * Products of LLM.int8() on the emulated device, beyond the specification's cases: tiles and their edges, GPUs with tensor cores and without,
 * both profiles.
 */
import { toFloat32 } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import {
  bytesOf,
  capabilities,
  cuda,
  dtypes,
  expectSameBytes,
  type Layer,
  normals,
  operands,
  oracle,
  product,
  tensorOf,
  useCapability,
  useDevices,
} from "./int8-emulated.js";

useDevices();

// The emulated device has four multiprocessors, which two large tiles keep half busy.
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
