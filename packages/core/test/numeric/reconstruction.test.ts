/** Errors on normal data against the figures of upstream's own tests: not worse, and not better than the format can be. */
import { dequantize, quantize, referenceBackend, type Tensor, toFloat32 } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../src/random.js";
import { normals } from "./samples.js";

const backend = referenceBackend();
const size = 1 << 20;
const values = normals(size, 2026);

interface Errors {
  /** Mean of |x − x̂|, and its standard error if the elements were independent. */
  readonly absolute: number;
  /** Mean of |x − x̂| / (|x| + 1e-8). */
  readonly relative: number;
  readonly relativeSigma: number;
}

function errorsOf(x: Float32Array, back: Float32Array): Errors {
  let [absolute, relative, squares] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const error = Math.abs(x[i]! - back[i]!);
    const ratio = error / (Math.abs(x[i]!) + 1e-8);
    absolute += error;
    relative += ratio;
    squares += ratio * ratio;
  }
  const n = x.length;
  const variance = squares / n - (relative / n) ** 2;
  return { absolute: absolute / n, relative: relative / n, relativeSigma: Math.sqrt(variance / n) };
}

interface Choice {
  readonly format: string;
  readonly blockSize: number;
  readonly nested?: boolean;
}

async function errors(x: Float32Array, { format, blockSize, nested = false }: Choice): Promise<Errors> {
  using tensor = backend.tensor("float32", [x.length], x);
  using weight = await quantize(tensor, { format, blockSize, nested });
  using out = dequantize(weight) as Tensor<"float32">;
  return errorsOf(x, toFloat32("float32", await out.read()));
}

// Specification: 4-bit randn reconstruction means; the standard deviation is that of the mean of 2^20 elements.
const published = [
  { blockSize: 32, fp4: [0.088925, 0.242443], nf4: [0.067746, 0.189726], sigma: 0.000069 },
  { blockSize: 64, fp4: [0.096543, 0.260125], nf4: [0.072798, 0.203339], sigma: 0.000074 },
  { blockSize: 128, fp4: [0.102969, 0.275817], nf4: [0.076831, 0.215237], sigma: 0.000091 },
  { blockSize: 256, fp4: [0.108684, 0.289831], nf4: [0.080337, 0.226105], sigma: 0.000102 },
  { blockSize: 512, fp4: [0.114115, 0.302881], nf4: [0.083547, 0.236079], sigma: 0.000143 },
  { blockSize: 1024, fp4: [0.119333, 0.315], nf4: [0.08661, 0.24537], sigma: 0.000187 },
  { blockSize: 2048, fp4: [0.124556, 0.326607], nf4: [0.089592, 0.254163], sigma: 0.000251 },
  { blockSize: 4096, fp4: [0.129536, 0.337169], nf4: [0.092547, 0.262473], sigma: 0.00036 },
] as const;

describe.each(["nf4", "fp4"] as const)("%s", (format) => {
  test.each(published)("block $blockSize: mean errors within 7σ of the published ones", async (row) => {
    const [absolute, relative] = row[format];
    const found = await errors(values, { format, blockSize: row.blockSize });
    expect(Math.abs(found.absolute - absolute)).toBeLessThan(7 * row.sigma);
    // Blocks share an absmax, which widens the spread of the relative error as it does that of the absolute one.
    const sigma = found.relativeSigma + (row.sigma * relative) / absolute;
    expect(Math.abs(found.relative - relative)).toBeLessThan(7 * sigma);
  });

  test.each([64, 128])("block %i with nested statistics: below 0.11 and 0.28", async (blockSize) => {
    const found = await errors(values.subarray(0, 1 << 18), { format, blockSize, nested: true });
    expect(found.absolute).toBeLessThan(0.11);
    expect(found.relative).toBeLessThan(0.28);
  });
});

describe("8-bit blockwise", () => {
  const normal = values.subarray(0, 1 << 18);
  const random = createRandom(7);
  const uniform = Float32Array.from({ length: 1 << 18 }, random.uniform);

  test.each([4096, 2048, 1024, 512, 256, 128, 64])(
    "block %i, normal data: below 0.011 and 0.018",
    async (blockSize) => {
      const found = await errors(normal, { format: "int8-blockwise", blockSize });
      expect(found.absolute).toBeLessThan(0.011);
      expect(found.relative).toBeLessThan(0.018);
    },
  );

  test.each([
    ["int8-blockwise", 0.0036, 0.015],
    ["int8-blockwise-unsigned", 0.0023, 0.012],
  ])("%s, uniform data: below %d and %d", async (format, absolute, relative) => {
    const found = await errors(uniform, { format, blockSize: 4096 });
    expect(found.absolute).toBeLessThan(absolute);
    expect(found.relative).toBeLessThan(relative);
  });

  test("nested statistics keep the figures", async () => {
    const found = await errors(normal, { format: "int8-blockwise", blockSize: 64, nested: true });
    expect(found.absolute).toBeLessThan(0.011);
    expect(found.relative).toBeLessThan(0.018);
  });
});
