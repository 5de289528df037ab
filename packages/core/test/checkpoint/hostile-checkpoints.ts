/**
 * Checkpoints that must be refused. Each is a valid one with exactly one defect, so that it is refused for its own reason; the test wants
 * the code named here and no other.
 */
import type { ErrorCode, QuantizeCheckpointOptions } from "../../src/index.js";
import {
  file,
  floats,
  jsonBytes,
  layer4bit,
  layer8bit,
  normals,
  raw,
  type Stored,
  stateTensor,
  utf8,
  weight,
} from "./fixtures.js";

export interface HostileCheckpoint {
  /** What is wrong, in words. */
  readonly name: string;
  readonly code: ErrorCode;
  /** The tensor or file that message and details must name. */
  readonly names?: string;
  /** The flat index that the details must name. */
  readonly index?: number;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Quantized with these; a checkpoint without them is opened and dequantized. */
  readonly quantize?: Partial<QuantizeCheckpointOptions>;
}

const model = (tensors: readonly Stored[], others: Readonly<Record<string, Uint8Array>> = {}) => ({
  "model.safetensors": file(tensors),
  ...others,
});

// ── Quantized weights ──

const name = "layer.weight";
const shape = [6, 32];
const flat = layer4bit({ name, shape });
const nestedCode = normals(256, 4).sort();
const nested = layer4bit({ name, shape, nestedCode });
const rows = layer8bit("layer", [4, 32], Uint8Array.of(0));
const unknown = layer4bit({ name, shape, quantType: "xf4" });

/** What the hostile ones are made from. */
export const validCheckpoints = [flat, nested, rows, unknown].map((tensors) => model(tensors));

const without = (tensors: readonly Stored[], side: string): Stored[] =>
  tensors.filter((tensor) => tensor.name !== side);
const withTensor = (tensors: readonly Stored[], changed: Stored): Stored[] => [
  ...without(tensors, changed.name),
  changed,
];

const stateKey = `${name}.quant_state.bitsandbytes__nf4`;
const plainState = { quant_type: "nf4", blocksize: 64, dtype: "float32", shape };
const nestedState = { ...plainState, nested_blocksize: 256, nested_dtype: "float32", nested_offset: 0.5 };

function stateRow(
  what: string,
  state: string | Uint8Array,
  code: ErrorCode = "QUANT_STATE_INVALID",
): HostileCheckpoint {
  return {
    name: `a quant_state ${what}`,
    code,
    names: name,
    files: model(withTensor(nested, stateTensor(name, "nf4", state))),
  };
}

/** A quant_state with fields in place of its own. */
const fieldRow = (what: string, fields: object, code?: ErrorCode): HostileCheckpoint =>
  stateRow(what, JSON.stringify({ ...nestedState, ...fields }), code);

const sideRow = (what: string, tensors: readonly Stored[], code: ErrorCode, names: string): HostileCheckpoint => ({
  name: what,
  code,
  names,
  files: model(tensors),
});

const mismatch = (what: string, base: readonly Stored[], side: Stored): HostileCheckpoint =>
  sideRow(what, withTensor(base, side), "SIDE_TENSOR_MISMATCH", side.name);
const missing = (base: readonly Stored[], side: string): HostileCheckpoint =>
  sideRow(`a weight without ${side}`, without(base, side), "SIDE_TENSOR_MISSING", side);

const zeros = (count: number): Float32Array => new Float32Array(count);

const quantized: readonly HostileCheckpoint[] = [
  stateRow("that is no JSON", '{"quant_type": '),
  stateRow("that is empty", ""),
  stateRow("that is not UTF-8", Uint8Array.of(...utf8('{"quant_type": "'), 0xff, ...utf8('"}'))),
  stateRow("that is an array", "[]"),
  stateRow("with a key twice", `{"blocksize": 64, ${JSON.stringify(nestedState).slice(1)}`),
  stateRow("with text behind it", `${JSON.stringify(nestedState)} {}`),
  stateRow("whose offset is Python's NaN", JSON.stringify(nestedState).replace("0.5", "NaN")),
  stateRow("whose offset is infinite", JSON.stringify(nestedState).replace("0.5", "1e999")),
  stateRow("whose offset is infinite in float32", JSON.stringify(nestedState).replace("0.5", "1e39")),
  fieldRow("without quant_type", { quant_type: undefined }),
  fieldRow("whose quant_type is a number", { quant_type: 4 }),
  fieldRow("without blocksize", { blocksize: undefined }),
  fieldRow("whose blocksize is a string", { blocksize: "64" }),
  fieldRow("whose blocksize is 0", { blocksize: 0 }),
  fieldRow("whose blocksize is negative", { blocksize: -64 }),
  fieldRow("whose blocksize is a fraction", { blocksize: 64.5 }),
  fieldRow("without dtype", { dtype: undefined }),
  fieldRow("whose dtype is none", { dtype: "int8" }),
  fieldRow("without shape", { shape: undefined }),
  fieldRow("whose shape is a number", { shape: 192 }),
  fieldRow("whose shape is negative", { shape: [-6, -32] }),
  fieldRow("whose shape is a fraction", { shape: [0.5, 384] }),
  fieldRow("whose shape holds strings", { shape: ["6", "32"] }),
  fieldRow("whose nested_blocksize is 0", { nested_blocksize: 0 }),
  fieldRow("whose nested_blocksize is null", { nested_blocksize: null }),
  fieldRow("without nested_offset", { nested_offset: undefined }),
  fieldRow("whose nested_offset is a string", { nested_offset: "0.5" }),
  fieldRow("whose nested_dtype is float16", { nested_dtype: "float16" }),
  fieldRow("of another type than its name", { quant_type: "fp4" }, "QUANT_STATE_INCONSISTENT"),
  fieldRow("with an odd blocksize", { blocksize: 63 }, "QUANT_STATE_INCONSISTENT"),
  fieldRow("whose shape needs more codes", { shape: [7, 32] }, "QUANT_STATE_INCONSISTENT"),
  fieldRow("whose shape needs fewer codes", { shape: [5, 32] }, "QUANT_STATE_INCONSISTENT"),
  fieldRow("whose shape is beyond 2^53", { shape: [2 ** 40, 2 ** 40] }, "QUANT_STATE_INCONSISTENT"),
  sideRow(
    "a weight with two quant_states",
    [...flat, stateTensor(name, "fp4", JSON.stringify({ ...plainState, quant_type: "fp4" }))],
    "QUANT_STATE_INCONSISTENT",
    name,
  ),
  sideRow(
    "a weight of 4 and of 8 bits",
    [...flat, floats("layer.SCB", [6], zeros(6))],
    "QUANT_STATE_INCONSISTENT",
    name,
  ),
  sideRow("a quant_state without its weight", without(flat, name), "SIDE_TENSOR_MISSING", name),
  missing(flat, `${name}.absmax`),
  missing(nested, `${name}.nested_absmax`),
  missing(nested, `${name}.nested_quant_map`),
  missing(unknown, `${name}.quant_map`),
  sideRow(
    "a quant_type that is an 8-bit format, without a map",
    without(layer4bit({ name, shape, quantType: "int8-blockwise" }), `${name}.quant_map`),
    "SIDE_TENSOR_MISSING",
    `${name}.quant_map`,
  ),
  mismatch("an absmax that is too short", flat, floats(`${name}.absmax`, [2], zeros(2))),
  mismatch("an absmax that is too long", flat, floats(`${name}.absmax`, [4], zeros(4))),
  mismatch("an absmax in float16", flat, floats(`${name}.absmax`, [3], zeros(3), "float16")),
  mismatch("codes for an absmax without nested statistics", flat, raw(`${name}.absmax`, "U8", [3], new Uint8Array(3))),
  mismatch("floats for an absmax with nested statistics", nested, floats(`${name}.absmax`, [3], zeros(3))),
  mismatch("a nested_absmax that is too long", nested, floats(`${name}.nested_absmax`, [2], zeros(2))),
  mismatch("a nested_quant_map of 255 entries", nested, floats(`${name}.nested_quant_map`, [255], zeros(255))),
  mismatch("a quant_map of 15 entries", flat, floats(`${name}.quant_map`, [15], zeros(15))),
  mismatch("a quant_map of 256 entries", flat, floats(`${name}.quant_map`, [256], zeros(256))),
  mismatch("a quant_map in bfloat16", flat, floats(`${name}.quant_map`, [16], zeros(16), "bfloat16")),
  // LLM.int8()
  missing(rows, "layer.SCB"),
  sideRow("an SCB without its weight", without(rows, name), "SIDE_TENSOR_MISSING", name),
  mismatch("an SCB that is too short", rows, floats("layer.SCB", [3], zeros(3))),
  mismatch("an SCB in float16", rows, floats("layer.SCB", [4], zeros(4), "float16")),
  mismatch("an int8 weight with one dimension", rows, raw(name, "I8", [128], new Uint8Array(128))),
  mismatch("a weight with an SCB that is not int8", rows, floats(name, [4, 32], zeros(128), "float16")),
  ...[utf8("col_turing"), utf8("rows"), Uint8Array.of(1), Uint8Array.of(2), new Uint8Array(0)].map((format) =>
    sideRow(
      `a weight_format of the bytes [${format}]`,
      layer8bit("layer", [4, 32], format),
      "QUANT_STATE_INCONSISTENT",
      name,
    ),
  ),
];

// ── Repositories ──

const [first, second] = [weight("a.weight", [4, 32]), weight("b.weight", [4, 32])];
const shards = { "one.safetensors": file([first]), "two.safetensors": file([second]) };
const indexName = "model.safetensors.index.json";
const placed = { "a.weight": "one.safetensors", "b.weight": "two.safetensors" };

function indexRow(
  what: string,
  code: ErrorCode,
  names: string,
  index: unknown,
  files: Readonly<Record<string, Uint8Array>> = shards,
): HostileCheckpoint {
  const bytes = index instanceof Uint8Array ? index : jsonBytes(index);
  return { name: `an index ${what}`, code, names, files: { ...files, [indexName]: bytes }, quantize: {} };
}

const shardNameRow = (shard: string): HostileCheckpoint =>
  indexRow(`with the shard ${JSON.stringify(shard)}`, "SHARD_NAME_UNSAFE", shard, {
    weight_map: { ...placed, "b.weight": shard },
  });

const configRow = (what: string, config: string | Uint8Array): HostileCheckpoint => ({
  name: `a config.json ${what}`,
  code: "CONFIG_INVALID",
  names: "config.json",
  files: model([first], { "config.json": typeof config === "string" ? utf8(config) : config }),
  quantize: {},
});

const repositories: readonly HostileCheckpoint[] = [
  indexRow("that is no JSON", "INDEX_INVALID", indexName, utf8('{"weight_map": {')),
  indexRow(
    "that is not UTF-8",
    "INDEX_INVALID",
    indexName,
    Uint8Array.of(...utf8('{"metadata": "'), 0xff, ...utf8(`", "weight_map": ${JSON.stringify(placed)}}`)),
  ),
  indexRow("that is an array", "INDEX_INVALID", indexName, []),
  indexRow("without weight_map", "INDEX_INVALID", indexName, { metadata: {} }),
  indexRow("whose weight_map is a list", "INDEX_INVALID", indexName, { weight_map: [] }),
  indexRow("with a number for a shard", "INDEX_INVALID", indexName, { weight_map: { ...placed, "b.weight": 2 } }),
  indexRow(
    "with a tensor twice",
    "INDEX_INVALID",
    indexName,
    utf8('{"weight_map": {"a.weight": "one.safetensors", "a.weight": "two.safetensors"}}'),
  ),
  shardNameRow("../two.safetensors"),
  shardNameRow("/etc/passwd"),
  shardNameRow("sub/two.safetensors"),
  shardNameRow("..\\two.safetensors"),
  shardNameRow("C:two.safetensors"),
  shardNameRow(".."),
  indexRow(
    "that names a shard which is not there",
    "SHARD_MISSING",
    "two.safetensors",
    { weight_map: placed },
    { "one.safetensors": shards["one.safetensors"] },
  ),
  indexRow("that places a tensor in the wrong shard", "INDEX_INVALID", "a.weight", {
    weight_map: { ...placed, "a.weight": "two.safetensors" },
  }),
  indexRow("that places a tensor which is nowhere", "INDEX_INVALID", "c.weight", {
    weight_map: { ...placed, "c.weight": "one.safetensors" },
  }),
  indexRow(
    "over shards with a tensor in common",
    "DUPLICATE_TENSOR",
    "a.weight",
    { weight_map: placed },
    { ...shards, "two.safetensors": file([first, second]) },
  ),
  {
    name: "two files with a tensor in common",
    code: "DUPLICATE_TENSOR",
    names: "a.weight",
    files: { ...shards, "two.safetensors": file([first]) },
    quantize: {},
  },
  {
    name: "a shard that is cut off",
    code: "OFFSETS_OUT_OF_RANGE",
    names: "b.weight",
    files: { ...shards, "two.safetensors": shards["two.safetensors"].slice(0, -1) },
    quantize: {},
  },
  {
    name: "no safetensors file",
    code: "INPUT_NOT_FOUND",
    names: "hostile",
    files: { "config.json": utf8("{}") },
    quantize: {},
  },
  configRow("that is no JSON", "{'model_type': 'llama'}"),
  configRow("that is an array", "[]"),
  configRow("that is not UTF-8", Uint8Array.of(...utf8('{"model_type": "'), 0xc3, ...utf8('"}'))),
  configRow("with a key twice", '{"model_type": "llama", "model_type": "gpt2"}'),
  configRow("that is empty", ""),
];

// ── What cannot be quantized ──

const spoilt = (name: string, value: number, index: number, dtype: "float32" | "bfloat16" = "float32"): Stored => {
  const values = normals(128, 9);
  values[index] = value;
  return floats(name, [4, 32], values, dtype);
};

const refusedRow = (
  what: string,
  code: ErrorCode,
  names: string,
  tensors: readonly Stored[],
  quantize: Partial<QuantizeCheckpointOptions> = {},
  config: object = {},
): HostileCheckpoint => ({
  name: what,
  code,
  names,
  files: model(tensors, { "config.json": jsonBytes(config) }),
  quantize,
});

const nonFiniteRow = (
  what: string,
  bad: Stored,
  index: number,
  quantize: Partial<QuantizeCheckpointOptions> = {},
  config: object = {},
): HostileCheckpoint => ({
  ...refusedRow(what, "NON_FINITE_INPUT", bad.name, [first, bad], quantize, config),
  index,
});

const unquantizable: readonly HostileCheckpoint[] = [
  refusedRow("a model with 4-bit weights", "ALREADY_QUANTIZED", stateKey, [...flat, first]),
  refusedRow("a model with int8 weights", "ALREADY_QUANTIZED", "layer.SCB", [...rows, first]),
  refusedRow(
    "a model whose config says that it is quantized",
    "ALREADY_QUANTIZED",
    "config.json",
    [first],
    {},
    { quantization_config: { quant_method: "gptq" } },
  ),
  refusedRow("a model of vectors and embeddings", "NOTHING_TO_QUANTIZE", "hostile", [
    weight("norm.weight", [32]),
    weight("embed_tokens.weight", [8, 32]),
  ]),
  refusedRow("a model of which --skip leaves nothing", "NOTHING_TO_QUANTIZE", "hostile", [first], { skip: ["**"] }),
  nonFiniteRow("a weight with NaN", spoilt("z.weight", Number.NaN, 77), 77),
  nonFiniteRow("a weight with NaN, nested", spoilt("z.weight", Number.NaN, 0), 0, { nested: true }),
  nonFiniteRow("a weight with -Infinity", spoilt("z.weight", Number.NEGATIVE_INFINITY, 127, "bfloat16"), 127, {
    format: "fp4",
  }),
  nonFiniteRow("a weight with Infinity, int8", spoilt("z.weight", Number.POSITIVE_INFINITY, 40), 40, {
    format: "int8",
  }),
  nonFiniteRow("a weight that overflows float16, int8", spoilt("z.weight", 70000, 41, "bfloat16"), 41, {
    format: "int8",
  }),
  nonFiniteRow(
    "a transposed weight with NaN",
    spoilt("h.0.mlp.c_fc.weight", Number.NaN, 70),
    70,
    {},
    { model_type: "gpt2" },
  ),
  refusedRow(
    "codes that are no whole number of float32",
    "INVALID_ARGUMENT",
    "z.weight",
    [first, weight("z.weight", [3, 2])],
    { quantStorage: "float32" },
  ),
  refusedRow(
    "codes that are no whole number of bfloat16",
    "INVALID_ARGUMENT",
    "z.weight",
    [first, weight("z.weight", [3, 2])],
    { quantStorage: "bfloat16" },
  ),
  refusedRow("a tensor with the name of a side tensor", "INVALID_ARGUMENT", "a.weight.absmax", [
    first,
    weight("a.weight.absmax", [2]),
  ]),
];

/** Containers and repositories that hold nothing to decode. */
const plain: readonly HostileCheckpoint[] = [
  { name: "a model without quantized weights", code: "NOT_QUANTIZED", names: "hostile", files: model([first]) },
];

export const hostileCheckpoints: readonly HostileCheckpoint[] = [
  ...quantized,
  ...repositories,
  ...unquantizable,
  ...plain,
];
