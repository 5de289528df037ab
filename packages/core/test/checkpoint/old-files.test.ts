/** Files of older and of other writers (contract §3). What a weight decodes to is computed here from the bytes of the fixture. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { viewAs } from "../../src/dtype.js";
import {
  type Backend,
  dequantize,
  dequantizeCheckpoint,
  formatNames,
  memoryRepository,
  memorySink,
  openBackend,
  openCheckpoint,
  toFloat32,
} from "../../src/index.js";
import {
  countOf,
  file,
  type Layer4bit,
  layer4bit,
  layer8bit,
  nf4Code,
  normals,
  repositoryOf,
  type Stored,
  tensorsOf,
  utf8,
  weight,
} from "./fixtures.js";

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend([]);
});
afterAll(() => backend.dispose());

const dynamicMap = normals(256, 11, 0.3).sort();
const fr = Math.fround;

function side(tensors: readonly Stored[], suffix: string): Uint8Array {
  return tensors.find(({ name }) => name.endsWith(suffix))!.bytes;
}

/** Code times scale in f32, from the fixture alone; `table` where the file has none. */
function decoded(
  tensors: readonly Stored[],
  { shape, blockSize = 64, nestedCode }: Layer4bit,
  table = nf4Code,
): Float32Array {
  const hasMap = tensors.some(({ name }) => name.endsWith(".quant_map"));
  const code = hasMap ? viewAs("float32", side(tensors, ".quant_map")) : table;
  const codes = tensors[0]!.bytes;
  const scale = nestedCode
    ? nestedScale(tensors, nestedCode)
    : (block: number) => viewAs("float32", side(tensors, ".absmax"))[block]!;
  return Float32Array.from({ length: countOf(shape) }, (_, i) => {
    const byte = codes[i >> 1]!;
    return fr(code[i % 2 === 0 ? byte >> 4 : byte & 15]! * scale(Math.floor(i / blockSize)));
  });
}

function nestedScale(tensors: readonly Stored[], code: Float32Array): (block: number) => number {
  const outer = viewAs("float32", side(tensors, ".nested_absmax"));
  return (block) => fr(fr(code[side(tensors, ".absmax")[block]!]! * outer[Math.floor(block / 256)]!) + 0.5);
}

async function loaded(tensors: readonly Stored[], name: string): Promise<Float32Array> {
  const opened = await openCheckpoint(repositoryOf(tensors), { backend });
  expect(opened.quantizedNames()).toEqual([name]);
  using quantized = await opened.quantized(name);
  using values = dequantize(quantized, { dtype: "float32" });
  const result = toFloat32("float32", await values.read());
  await opened.close();
  return result;
}

/** Through openCheckpoint, and through dequantizeCheckpoint. */
async function expectDecoded(tensors: readonly Stored[], name: string, expected: Float32Array): Promise<void> {
  expect(await loaded(tensors, name)).toEqual(expected);
  const sink = memorySink();
  await dequantizeCheckpoint(repositoryOf(tensors), sink, { backend, dtype: "float32" });
  const written = await tensorsOf(sink.files.get("model.safetensors")!);
  expect([...written.keys()]).toEqual([name]);
  expect(viewAs("float32", written.get(name)!.bytes)).toEqual(expected);
}

const rows: readonly (Layer4bit & { readonly what: string })[] = [
  { what: "as Python writes it", name: "layer.weight", shape: [6, 50] },
  {
    what: "a nested_quant_map that starts with -1",
    name: "layer.weight",
    shape: [24, 32],
    nestedCode: Float32Array.of(-1, ...dynamicMap.slice(1)),
  },
  { what: "block size 32", name: "layer.weight", shape: [6, 50], blockSize: 32 },
  { what: "block size 4096 and a partial block", name: "layer.weight", shape: [5, 33], blockSize: 4096 },
  { what: "codes stored as bfloat16", name: "layer.weight", shape: [8, 32], storage: "BF16" },
  { what: "codes stored as float16", name: "layer.weight", shape: [8, 32], storage: "F16" },
  { what: "codes stored as float32", name: "layer.weight", shape: [8, 32], storage: "F32" },
  {
    what: "a prefixed name",
    name: "base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight",
    shape: [8, 32],
  },
  { what: "a name without a dot", name: "weight", shape: [8, 32] },
  {
    what: "a parametrized three-dimensional weight",
    name: "model.layers.0.mlp.experts.gate_up_proj",
    shape: [3, 8, 16],
  },
  {
    what: "a parametrized three-dimensional weight, nested",
    name: "model.layers.0.mlp.experts.down_proj",
    shape: [3, 8, 16],
    nestedCode: dynamicMap,
  },
  {
    what: "an fp4 map in another order than ours",
    name: "layer.weight",
    shape: [8, 32],
    quantType: "fp4",
    code: normals(16, 5),
  },
  {
    what: "a quant_type that nobody registered",
    name: "layer.weight",
    shape: [8, 32],
    quantType: "int4_custom.v2",
    code: normals(16, 6),
  },
  {
    what: "a quant_type that nobody registered, nested",
    name: "layer.weight",
    shape: [8, 32],
    quantType: "xf4",
    code: normals(16, 6),
    nestedCode: dynamicMap,
  },
  {
    what: "a quant_type that is an 8-bit format of ours",
    name: "layer.weight",
    shape: [8, 32],
    quantType: "int8-blockwise",
    code: normals(16, 7),
  },
];

describe("a 4-bit weight", () => {
  it.each(rows)("$what", async ({ what: _, ...layer }) => {
    const tensors = layer4bit(layer);
    await expectDecoded(tensors, layer.name, decoded(tensors, layer));
  });

  it.each(["nf4", "fp4"] as const)("%s without quant_map", async (quantType) => {
    const layer = { name: "layer.weight", shape: [8, 32], quantType };
    const tensors = layer4bit(layer).filter(({ name }) => !name.endsWith(".quant_map"));
    const fp4 = Float32Array.of(0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3).map(
      (value) => value / 12,
    );
    await expectDecoded(tensors, layer.name, decoded(tensors, layer, quantType === "nf4" ? nf4Code : fp4));
  });

  it("keeps side tensors of weights whose names begin alike apart", async () => {
    const layers = ["a.weight", "a.weight2", "a.weight.b", "aa.weight"].map((name, i) => ({
      name,
      shape: [8, 8 + 2 * i],
    }));
    const opened = await openCheckpoint(repositoryOf(layers.flatMap((layer) => layer4bit(layer))), { backend });
    expect([...opened.quantizedNames()].sort()).toEqual(layers.map(({ name }) => name).sort());
    for (const { name, shape } of layers) expect((await opened.hostWeight(name)).shape).toEqual(shape);
  });

  it("may stand in another shard than its side tensors", async () => {
    const layer = { name: "layer.weight", shape: [24, 32], nestedCode: dynamicMap };
    const tensors = layer4bit(layer);
    const place = (name: string) =>
      name === "layer.weight" || name.endsWith("quant_map") ? "b.safetensors" : "a.safetensors";
    const shards = ["a.safetensors", "b.safetensors"].map(
      (shard) => [shard, file(tensors.filter(({ name }) => place(name) === shard))] as const,
    );
    const index = {
      metadata: { total_size: 1 },
      weight_map: Object.fromEntries(tensors.map(({ name }) => [name, place(name)])),
    };
    const files = { ...Object.fromEntries(shards), "model.safetensors.index.json": utf8(JSON.stringify(index)) };
    const opened = await openCheckpoint(memoryRepository(files), { backend });
    using quantized = await opened.quantized("layer.weight");
    using values = dequantize(quantized);
    expect(await values.read()).toEqual(decoded(tensors, layer));

    const sink = memorySink();
    await dequantizeCheckpoint(memoryRepository(files), sink, { backend });
    expect([...(await tensorsOf(sink.files.get("a.safetensors")!)).keys()]).toEqual([]);
    expect(viewAs("float32", (await tensorsOf(sink.files.get("b.safetensors")!)).get("layer.weight")!.bytes)).toEqual(
      decoded(tensors, layer),
    );
    expect(JSON.parse(new TextDecoder().decode(sink.files.get("model.safetensors.index.json")))).toEqual({
      metadata: { total_size: 4 * 24 * 32 },
      weight_map: { "layer.weight": "b.safetensors" },
    });
  });
});

describe("a format that nobody registered", () => {
  const layer = { name: "layer.weight", shape: [12, 64], quantType: "xf4", code: normals(16, 6) };
  const tensors = layer4bit(layer);

  it("multiplies by the stored table", async () => {
    const opened = await openCheckpoint(repositoryOf(tensors), { backend });
    using quantized = await opened.quantized("layer.weight");
    expect(formatNames()).not.toContain(quantized.format);
    const values = normals(64, 8, 1);
    using x = backend.tensor("float32", [1, 64], values);
    using out = backend.kernels.gemm4bit({ x, weight: quantized }).out;
    const dense = decoded(tensors, layer);
    for (const [n, y] of (await out.read()).entries()) {
      const products = Array.from(values, (value, k) => value * dense[n * 64 + k]!);
      const exact = products.reduce((sum, product) => sum + product, 0);
      const size = products.reduce((sum, product) => sum + Math.abs(product), 0);
      expect(Math.abs(y - exact)).toBeLessThanOrEqual(2 ** -24 * Math.abs(exact) + 32 * 2 ** -24 * size);
    }
  });

  it("moves to another backend with its table", async () => {
    const opened = await openCheckpoint(repositoryOf(tensors), { backend });
    const other = await openBackend([]);
    using quantized = await opened.quantized("layer.weight");
    using moved = await quantized.to(other);
    using values = dequantize(moved);
    expect(await values.read()).toEqual(decoded(tensors, layer));
    values.dispose();
    moved.dispose();
    await other.dispose();
  });
});

describe("an int8 weight", () => {
  const shape = [6, 40] as const;
  const row = utf8("row");
  const zero = new Uint8Array(1);

  it.each([
    ["weight_format 0", zero],
    ['weight_format "row"', row],
    ["no weight_format", undefined],
  ])("with %s", async (_, format) => {
    const tensors = layer8bit("model.layer", shape, format);
    const codes = viewAs("int8", tensors[0]!.bytes);
    const scb = viewAs("float32", tensors[1]!.bytes);
    const expected = Float32Array.from(codes, (code, i) =>
      fr(fr(code * scb[Math.floor(i / 40)]!) * fr(0.007874015718698502)),
    );
    await expectDecoded(tensors, "model.layer.weight", expected);
  });

  it("without any prefix", async () => {
    const opened = await openCheckpoint(
      repositoryOf(layer8bit("", shape).map((tensor) => ({ ...tensor, name: tensor.name.slice(1) }))),
      { backend },
    );
    expect(opened.quantizedNames()).toEqual(["weight"]);
  });

  it("is not what a bare I8 tensor is", async () => {
    const opened = await openCheckpoint(repositoryOf([layer8bit("layer", shape)[0]!, weight("b.weight", [2, 2])]), {
      backend,
    });
    expect(opened.quantizedNames()).toEqual([]);
    await expect(opened.quantized("layer.weight")).rejects.toMatchObject({ code: "NOT_QUANTIZED" });
    await expect(opened.quantized("c.weight")).rejects.toMatchObject({ code: "TENSOR_NOT_FOUND" });
  });
});
