/** Acceptance: a format is a record. One that no file of core knows goes through everything. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { viewAs } from "../../src/dtype.js";
import {
  type Backend,
  createRandom,
  dequantize,
  formatNames,
  memoryRepository,
  memorySink,
  openBackend,
  openCheckpoint,
  quantize,
  quantizeCheckpoint,
  registerFormat,
  tableFormat,
} from "../../src/index.js";
import { jsonBytes, normals, repositoryOf, tensorsOf, textOf, weight } from "./fixtures.js";

const random = createRandom(20260819);
const table = Float32Array.from({ length: 16 }, () => 2 * random.uniform() - 1).sort();
table[0] = -1;
table[15] = 1;
const name = "random-16";
registerFormat(tableFormat(name, table, "made by a test"));

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend([]);
});
afterAll(() => backend.dispose());

const [n, k] = [24, 128];
const values = normals(n * k, 3, 1);

/** Distance to the nearest entry, found by looking at all of them. */
const nearest = (scaled: number): number => Math.min(...table.map((entry) => Math.abs(entry - scaled)));

describe("a format registered at run time", () => {
  it("is known by name, once", () => {
    expect(formatNames()).toContain(name);
    expect(() => registerFormat(tableFormat(name, table, "again"))).toThrow(/exists/);
  });

  it.each([32, 64, 4096])("quantizes to the nearest entry, block %i", async (blockSize) => {
    using x = backend.tensor("float32", [n, k], values);
    using quantized = await quantize(x, { format: name, blockSize });
    using decoded = dequantize(quantized);
    const absmax = await quantized.scales.absmax.read();
    for (const [i, y] of ((await decoded.read()) as Float32Array).entries()) {
      const scale = absmax[Math.floor(i / blockSize)]!;
      expect(Math.abs(y - values[i]!) / scale).toBeLessThanOrEqual(nearest(values[i]! / scale) + 1e-6);
    }
  });

  it.each([false, true])("multiplies, nested statistics: %s", async (nested) => {
    using x = backend.tensor("float32", [n, k], values);
    using quantized = await quantize(x, { format: name, nested });
    using dense = dequantize(quantized);
    const weights = (await dense.read()) as Float32Array;
    const vector = normals(3 * k, 5, 1);
    using input = backend.tensor("float32", [3, k], vector);
    using out = backend.kernels.gemm4bit({ x: input, weight: quantized }).out;
    for (const [at, y] of (await out.read()).entries()) {
      const [m, row] = [Math.floor(at / n), at % n];
      const products = Array.from({ length: k }, (_, i) => vector[m * k + i]! * weights[row * k + i]!);
      const exact = products.reduce((sum, product) => sum + product, 0);
      const size = products.reduce((sum, product) => sum + Math.abs(product), 0);
      expect(Math.abs(y - exact)).toBeLessThanOrEqual(2 ** -24 * Math.abs(exact) + 4 * Math.sqrt(k) * 2 ** -24 * size);
    }
  });

  it.each([false, true])("goes through a checkpoint, nested statistics: %s", async (nested) => {
    const linear = weight("model.layers.0.mlp.up_proj.weight", [n, k], "bfloat16", 12);
    const input = repositoryOf([linear], { "config.json": jsonBytes({ model_type: "llama" }) });
    const sink = memorySink();
    await quantizeCheckpoint(input, sink, { format: name, nested, backend });

    const stored = await tensorsOf(sink.files.get("model.safetensors")!);
    expect(viewAs("float32", stored.get(`${linear.name}.quant_map`)!.bytes)).toEqual(table);
    const state = JSON.parse(textOf(stored.get(`${linear.name}.quant_state.bitsandbytes__${name}`)?.bytes));
    expect(state).toMatchObject({ quant_type: name, blocksize: 64, dtype: "bfloat16", shape: [n, k] });
    const config = JSON.parse(textOf(sink.files.get("config.json")));
    expect(config.quantization_config).toMatchObject({
      load_in_4bit: true,
      bnb_4bit_quant_type: name,
      bnb_4bit_use_double_quant: nested,
    });

    const opened = await openCheckpoint(memoryRepository(Object.fromEntries(sink.files)), { backend });
    using fromFile = await opened.quantized(linear.name);
    using decoded = dequantize(fromFile);
    using x = backend.tensor("bfloat16", [n, k], viewAs("bfloat16", linear.bytes));
    using direct = await quantize(x, { format: name, nested });
    using expected = dequantize(direct);
    expect(fromFile.format).toBe(name);
    expect(await fromFile.codes.read()).toEqual(await direct.codes.read());
    expect(await decoded.read()).toEqual(await expected.read());
  });
});
