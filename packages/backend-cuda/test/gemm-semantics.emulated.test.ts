/** What a product with a 4-bit weight means, beside its numbers: where we follow bitsandbytes, and where it has limits that we have not. */
import {
  type Backend,
  createQuantizedTensor,
  fromFloat32,
  type QuantizedTensor,
  referenceBackend,
  toFloat32,
} from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";
import { decoded, expectProduct, floats, normals, rounded, weight4bit } from "./products.js";

/** The library is built when it is older than its sources. */
const buildMs = 300_000;
let cuda: Backend;

beforeAll(async () => {
  if (!noEmulation) cuda = await openEmulated();
}, buildMs);
afterAll(() => cuda?.dispose());
beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

const ones = (size: number) => new Float32Array(size).fill(1);

/** Numbers of the table as they are: every block's absmax is 1. */
function unscaled(n: number, k: number, table: Float32Array): QuantizedTensor {
  const weight = weight4bit(cuda, n, k, { table });
  const blocks = weight.scales.absmax.size;
  weight.scales.absmax.dispose();
  return createQuantizedTensor({
    ...weight,
    scales: { kind: "block", absmax: cuda.tensor("float32", [blocks], ones(blocks)) },
  });
}

describe("a weight [N, K]", () => {
  it("takes x […, K] to […, N]", async () => {
    using weight = weight4bit(cuda, 5, 64);
    for (const lead of [[], [1], [2, 3], [2, 1, 3]]) {
      const size = lead.reduce((product, dimension) => product * dimension, 64);
      const x = floats(cuda, "float16", [...lead, 64], normals(size, 1));
      expect(cuda.kernels.gemm4bit({ x, weight }).out.shape).toEqual([...lead, 5]);
    }
  });

  it("is read as [N, K] when it is square", async () => {
    using weight = weight4bit(cuda, 64, 64);
    const x = normals(64, 1);
    const { out } = cuda.kernels.gemm4bit({ x: floats(cuda, "float32", [1, 64], x), weight });
    await expectProduct(out, { m: 1, n: 64, k: 64, x, weight: await decoded(64, 64, {}) });
  });

  it("of no rows of x gives no rows", async () => {
    using weight = weight4bit(cuda, 5, 64);
    const { out } = cuda.kernels.gemm4bit({ x: floats(cuda, "float32", [0, 64], new Float32Array()), weight });
    expect([out.shape, (await out.read()).length]).toEqual([[0, 5], 0]);
  });

  it("needs no K that is a multiple of the block size, nor of anything", async () => {
    for (const k of [64, 63, 96, 100]) {
      using weight = weight4bit(cuda, 3, k);
      const args = { x: floats(cuda, "float32", [1, k], normals(k, 1)), weight };
      expect(cuda.explain("gemm4bit", args)).toMatchObject({ kernel: "hb_gemm_4bit", composed: false });
    }
  });

  it("transposed is composed: decoded, then multiplied", async () => {
    using weight = weight4bit(cuda, 3, 64);
    const args = { x: floats(cuda, "float32", [2, 3], normals(6, 1)), weight, transpose: true };
    expect(cuda.explain("gemm4bit", args)).toMatchObject({ kernel: "dequantize4bit+gemm", composed: true });
    await expectProduct(cuda.kernels.gemm4bit(args).out, {
      ...{ m: 2, n: 3, k: 64, transpose: true },
      x: normals(6, 1),
      weight: await decoded(3, 64, {}),
    });
  });
});

describe("the arithmetic", () => {
  it.for([1, 20])("multiplies with f32 weights, not with weights rounded to x's dtype; %i rows", async (m) => {
    // Weights of 1 + 2⁻⁹, which bfloat16 has not, where x is 1, and of 1 where it is −1.
    const [n, k] = [6, 512];
    using weight = unscaled(
      n,
      k,
      Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 1 ? 1 + 2 ** -9 : 1)),
    );
    const weights = toFloat32("float32", await cuda.kernels.dequantize4bit({ weight, dtype: "float32" }).out.read());
    const x = Float32Array.from({ length: m * k }, (_, i) => (weights[i % k] === 1 ? -1 : 1));
    const { out } = cuda.kernels.gemm4bit({ x: floats(cuda, "bfloat16", [m, k], x), weight });
    const operands = { m, n, k, x };
    await expectProduct(out, { ...operands, weight: weights }, "fast");
    const coarse = rounded("bfloat16", weights);
    await expect(expectProduct(out, { ...operands, weight: coarse }, "fast")).rejects.toThrow(/expected/);
  });

  it.for([1, 5, 40])("adds the bias in f32, before the one rounding; %i rows", async (m) => {
    // 1 + 2⁻⁹ rounds to 1 in bfloat16; with the bias, 2⁻⁹ + 2⁻¹⁰ more than 1, it does not.
    using weight = unscaled(1, 64, new Float32Array(16).fill((1 + 2 ** -9) / 64));
    const x = floats(cuda, "bfloat16", [m, 64], ones(m * 64));
    const bias = floats(cuda, "float32", [1], Float32Array.of(2 ** -9 + 2 ** -10));
    const { out } = cuda.kernels.gemm4bit({ x, weight, bias });
    expect([...toFloat32("bfloat16", await out.read())]).toEqual(Array(m).fill(1 + 2 ** -7));
  });

  it.for([1, 3, 9, 40])("gives the same bits each time; %i rows", async (m) => {
    using weight = weight4bit(cuda, 70, 4128);
    const x = floats(cuda, "float32", [m, 4128], normals(m * 4128, 2));
    const [first, second] = [cuda.kernels.gemm4bit({ x, weight }).out, cuda.kernels.gemm4bit({ x, weight }).out];
    expect(await second.read()).toEqual(await first.read());
  });

  it("keeps what is not finite in its own row and column", async () => {
    using weight = weight4bit(cuda, 3, 64, { nested: { blockSize: 64, offset: 0.1 } });
    for (const m of [2, 40]) {
      const x = normals(m * 64, 1);
      [x[5], x[64 + 7]] = [Number.NaN, Number.POSITIVE_INFINITY];
      const { out } = cuda.kernels.gemm4bit({ x: floats(cuda, "float32", [m, 64], x), weight });
      const found = [...(await out.read())].map((value) => Number.isFinite(value));
      expect(found).toEqual(Array.from({ length: 3 * m }, (_, i) => i >= 6));
    }
  });
});

describe("nested scales", () => {
  const nested = { blockSize: 256, offset: 0.04 };

  it("are decoded by the kernel itself, and explain() says so", () => {
    using weight = weight4bit(cuda, 3, 64, { nested });
    const x = floats(cuda, "float32", [1, 64], normals(64, 1));
    const variant = "emulated+nested";
    expect(cuda.explain("gemm4bit", { x, weight })).toMatchObject({ kernel: "hb_gemm_4bit", variant, composed: false });
    const decoding = cuda.explain("dequantize4bit", { weight, dtype: "float16" });
    expect(decoding).toMatchObject({ kernel: "hb_dequantize_4bit", variant, composed: false });
  });

  it("may belong to any number of blocks; where the kernel does not know it, they are decoded before", () => {
    using weight = weight4bit(cuda, 3, 640, { nested: { blockSize: 5, offset: 0 } });
    const decoding = cuda.explain("dequantize4bit", { weight, dtype: "float16" });
    expect(decoding).toMatchObject({ composed: true });
  });

  it.for(["float32", "float16", "bfloat16"] as const)("decode to the reference kernels' bits, %s", async (dtype) => {
    for (const blockSize of [1, 2, 64, 256, 5])
      for (const offset of [0, 0.04, -0.3]) {
        const options = { blockSize: 32, nested: { blockSize, offset } };
        const [found, expected] = await Promise.all(
          [cuda, referenceBackend()].map((backend) =>
            backend.kernels.dequantize4bit({ weight: weight4bit(backend, 7, 331, options), dtype }).out.read(),
          ),
        );
        expect(Buffer.compare(bytesOf(found!), bytesOf(expected!))).toBe(0);
      }
  });

  it.for([1, 2, 8, 24])("multiply to the bits of scales that were decoded before; %i rows", async (m) => {
    for (const k of [1056, 77]) {
      const n = 9;
      using weight = weight4bit(cuda, n, k, { blockSize: 32, nested });
      const scales = weight.scales;
      if (scales.kind !== "nested") throw new Error("The scales are not nested.");
      const { out: absmax } = cuda.kernels.dequantizeBlockwise({
        codes: scales.absmax,
        absmax: scales.nestedAbsmax,
        code: scales.nestedCode,
        blockSize: scales.nestedBlockSize,
        offset: scales.offset,
        dtype: "float32",
      });
      const x = floats(cuda, "float32", [m, k], normals(m * k, 2));
      const plain = { ...weight, scales: { kind: "block", absmax: absmax as never } as const };
      const [found, expected] = [weight, plain].map((weight) => cuda.kernels.gemm4bit({ x, weight }).out);
      expect(await found!.read()).toEqual(await expected!.read());
    }
  });
});

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

describe("float weights", () => {
  it("of another dtype than x are taken as they are", async () => {
    const [m, n, k] = [3, 5, 48];
    const [x, weight] = [normals(m * k, 1), rounded("float16", normals(n * k, 2))];
    const args = {
      x: floats(cuda, "float32", [m, k], x),
      weight: cuda.tensor("float16", [n, k], fromFloat32("float16", weight)),
    };
    expect(cuda.explain("gemm", args)).toMatchObject({ kernel: "hb_gemm", composed: false });
    await expectProduct(cuda.kernels.gemm(args).out, { m, n, k, x, weight });
  });
});
