/**
 * The names, dtypes and shapes under which bitsandbytes stores a quantized layer (specification: serialization).
 *
 * Linear4bit, next to `weight` (the packed codes, [bytes / itemsize, 1] in the storage dtype):
 *   weight.absmax            F32 [blocks], or U8 when nested
 *   weight.quant_map         F32 [16], in code order
 *   weight.nested_absmax     F32 [blocks / 256]       nested only
 *   weight.nested_quant_map  F32 [256]                nested only
 *   weight.quant_state.bitsandbytes__<type>           U8, JSON
 * Linear8bitLt: weight I8 [out, in], SCB F32 [out], weight_format U8 [] = 0 (rows).
 */
import { bytesOf, viewAs } from "../dtype.js";
import { halfbyteError } from "../errors.js";
import { blockCount, nestedBlockSize } from "../formats/format.js";
import { getFormat, hasFormat } from "../formats/index.js";
import type { Float } from "../tensor.js";
import type { HostScales, HostWeight } from "./host-weight.js";
import { encodeQuantState, parseQuantState, type QuantState } from "./quant-state.js";
import type { QuantStorage } from "./quantization-config.js";
import type { TensorEntry } from "./safetensors.js";
import type { TensorStore } from "./shards.js";
import type { StoredDType } from "./stored-dtype.js";

export const storedFloats: Readonly<Record<Float, StoredDType>> = { float32: "F32", float16: "F16", bfloat16: "BF16" };
const storages: Readonly<Record<QuantStorage, { dtype: StoredDType; bytes: number }>> = {
  uint8: { dtype: "U8", bytes: 1 },
  float16: { dtype: "F16", bytes: 2 },
  bfloat16: { dtype: "BF16", bytes: 2 },
  float32: { dtype: "F32", bytes: 4 },
};

export interface StoredSpec {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
}

/** How one weight will be stored; enough to lay out a file before anything is quantized. */
export interface WeightLayout {
  readonly name: string;
  readonly shape: readonly number[];
  readonly format: string;
  readonly blockSize: number;
  readonly nested: boolean;
  readonly storage: QuantStorage;
}

/** Between a weight's name and its quant type. */
export const stateMarker = ".quant_state.bitsandbytes__";
const moduleOf = (weight: string): string => weight.replace(/weight$/, "");
const sizeOfShape = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** The tensors of a weight; `stateBytes` is the length of its quant_state. Throws INVALID_ARGUMENT when the storage dtype does not fit. */
export function weightSpecs(layout: WeightLayout, stateBytes: number): StoredSpec[] {
  return getFormat(layout.format).scales === "row" ? linear8bitSpecs(layout) : linear4bitSpecs(layout, stateBytes);
}

function linear4bitSpecs(
  { name, shape, format, blockSize, nested, storage }: WeightLayout,
  stateBytes: number,
): StoredSpec[] {
  const size = sizeOfShape(shape);
  const blocks = blockCount(size, blockSize);
  const { dtype, bytes } = storages[storage];
  const packed = Math.ceil(size / 2);
  if (packed % bytes !== 0) throw storageMismatch(name, packed, storage);
  const nestedSpecs: StoredSpec[] = [
    { name: `${name}.nested_absmax`, dtype: "F32", shape: [blockCount(blocks, nestedBlockSize)] },
    { name: `${name}.nested_quant_map`, dtype: "F32", shape: [256] },
  ];
  return [
    { name, dtype, shape: [packed / bytes, 1] },
    { name: `${name}.absmax`, dtype: nested ? "U8" : "F32", shape: [blocks] },
    { name: `${name}.quant_map`, dtype: "F32", shape: [16] },
    ...(nested ? nestedSpecs : []),
    { name: `${name}${stateMarker}${format}`, dtype: "U8", shape: [stateBytes] },
  ];
}

function storageMismatch(name: string, packed: number, storage: QuantStorage): Error {
  return halfbyteError(
    "INVALID_ARGUMENT",
    `The ${packed} packed bytes of "${name}" are no whole number of ${storage} elements.`,
    {
      remedy: "Use quant storage uint8 for this model.",
      details: { tensor: name, found: packed },
    },
  );
}

const linear8bitSpecs = ({ name, shape }: WeightLayout): StoredSpec[] => [
  { name, dtype: "I8", shape },
  { name: `${moduleOf(name)}SCB`, dtype: "F32", shape: [shape[0]!] },
  { name: `${moduleOf(name)}weight_format`, dtype: "U8", shape: [] },
];

/** The bytes of a weight's tensors, by name. */
export function weightBytes(name: string, host: HostWeight): Map<string, Uint8Array> {
  return new Map(host.scales.kind === "row" ? linear8bitBytes(name, host) : linear4bitBytes(name, host));
}

function linear4bitBytes(name: string, host: HostWeight): [string, Uint8Array][] {
  const { codes, code, scales, format } = host;
  const nested: [string, Uint8Array][] =
    scales.kind === "nested"
      ? [
          [`${name}.nested_absmax`, bytesOf(scales.nestedAbsmax)],
          [`${name}.nested_quant_map`, bytesOf(scales.nestedCode)],
        ]
      : [];
  return [
    [name, bytesOf(codes)],
    [`${name}.absmax`, bytesOf(scales.absmax)],
    [`${name}.quant_map`, bytesOf(code)],
    ...nested,
    [`${name}${stateMarker}${format}`, encodeQuantState(stateOf(host))],
  ];
}

function stateOf({ format, blockSize, dtype, shape, scales }: HostWeight): QuantState {
  const state = { quantType: format, blockSize, dtype, shape };
  return scales.kind === "nested"
    ? { ...state, nested: { blockSize: scales.nestedBlockSize, offset: scales.offset } }
    : state;
}

/** A guess at the length of a quant_state before its offset is known; exact without nested statistics. */
export function guessStateBytes({ format, blockSize, shape, nested }: WeightLayout, dtype: Float): number {
  const typicalOffset = 0.08716583251953125;
  const state = { quantType: format, blockSize, dtype, shape };
  return encodeQuantState(nested ? { ...state, nested: { blockSize: nestedBlockSize, offset: typicalOffset } } : state)
    .byteLength;
}

const linear8bitBytes = (name: string, { codes, scales }: HostWeight): [string, Uint8Array][] => [
  [name, bytesOf(codes)],
  [`${moduleOf(name)}SCB`, bytesOf(scales.absmax)],
  [`${moduleOf(name)}weight_format`, Uint8Array.of(0)],
];

// ── Reading ──

/** What a file stores of each quantized weight: every tensor name belongs to at most one weight. */
export interface StoredWeight {
  readonly name: string;
  readonly bits: 4 | 8;
  /** The tensors it consists of, itself first. */
  readonly tensors: readonly string[];
}

const sideNames = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"];

/** The quantized weights among stored tensors. Throws SIDE_TENSOR_MISSING for a side tensor without its weight, QUANT_STATE_INCONSISTENT for a weight with two of a kind. */
export function findStoredWeights(file: TensorStore): StoredWeight[] {
  const weights = new Map<string, StoredWeight>();
  for (const key of file.entries.keys()) {
    const weight = weightOf(file, key);
    if (!weight) continue;
    if (weights.has(weight.name)) throw inconsistent(weight.name, "stands beside another one of the same weight");
    weights.set(weight.name, weight);
  }
  return [...weights.values()];
}

/** The weight that this side tensor belongs to, when it is the kind that every weight has one of. */
function weightOf(file: TensorStore, key: string): StoredWeight | undefined {
  if (key.includes(stateMarker)) return weight4bit(file, key);
  if (/(^|\.)SCB$/.test(key)) return weight8bit(file, key);
  const scb = key.replace(/(^|\.)weight_format$/, "$1SCB");
  if (scb !== key && !file.entries.has(scb)) throw missing(file, scb, key);
  return undefined;
}

function weight4bit(file: TensorStore, stateKey: string): StoredWeight {
  const name = stateKey.slice(0, stateKey.indexOf(stateMarker));
  if (!file.entries.has(name)) throw missing(file, name, stateKey);
  const sides = sideNames.map((side) => `${name}.${side}`).filter((side) => file.entries.has(side));
  return { name, bits: 4, tensors: [name, ...sides, stateKey] };
}

function weight8bit(file: TensorStore, scbKey: string): StoredWeight {
  const module = scbKey.replace(/SCB$/, "");
  if (!file.entries.has(`${module}weight`)) throw missing(file, `${module}weight`, scbKey);
  const format = [`${module}weight_format`].filter((key) => file.entries.has(key));
  return { name: `${module}weight`, bits: 8, tensors: [`${module}weight`, scbKey, ...format] };
}

function missing(file: TensorStore, tensor: string, needs: string): Error {
  return halfbyteError("SIDE_TENSOR_MISSING", `${file.name} has "${needs}" but not "${tensor}".`, {
    details: { tensor },
  });
}

/** Reads a quantized weight and checks its side tensors against its quant_state. `dtype` is what int8 weights were made from. */
export async function loadWeight(
  file: TensorStore,
  weight: StoredWeight,
  dtype: Float,
  signal?: AbortSignal,
): Promise<HostWeight> {
  const reader = new SideReader(file, weight.name, signal);
  return weight.bits === 4 ? loadLinear4bit(reader, weight) : loadLinear8bit(reader, weight, dtype);
}

class SideReader {
  constructor(
    readonly file: TensorStore,
    readonly weight: string,
    readonly signal: AbortSignal | undefined,
  ) {}

  bytes(name: string): Promise<Uint8Array> {
    if (!this.file.entries.has(name)) throw missing(this.file, name, this.weight);
    return this.file.read(name, this.signal ? { signal: this.signal } : {});
  }

  /** A side tensor of a given dtype and element count. Throws SIDE_TENSOR_MISSING or SIDE_TENSOR_MISMATCH. */
  async expect(name: string, dtype: StoredDType, count: number): Promise<Uint8Array> {
    const entry = this.file.entries.get(name);
    const found = entry && sizeOfShape(entry.shape);
    if (entry && (entry.dtype !== dtype || found !== count))
      throw mismatch(entry, this.weight, `${dtype} with ${count} elements`);
    return this.bytes(name);
  }

  async floats(name: string, count: number): Promise<Float32Array> {
    return viewAs("float32", await this.expect(name, "F32", count));
  }
}

function mismatch({ name, dtype, shape }: TensorEntry, weight: string, expected: string): Error {
  const found = `${dtype} [${shape.join(", ")}]`;
  return halfbyteError("SIDE_TENSOR_MISMATCH", `"${name}" is ${found}; "${weight}" needs ${expected}.`, {
    details: { tensor: name, found, expected },
  });
}

function inconsistent(weight: string, why: string): Error {
  return halfbyteError("QUANT_STATE_INCONSISTENT", `The quant_state of "${weight}" ${why}.`, {
    details: { tensor: weight },
  });
}

async function loadLinear4bit(reader: SideReader, { name, tensors }: StoredWeight): Promise<HostWeight> {
  const stateKey = tensors.at(-1)!;
  const state = parseQuantState(await reader.bytes(stateKey), name);
  const keyType = stateKey.slice(stateKey.indexOf(stateMarker) + stateMarker.length);
  if (keyType !== state.quantType) throw inconsistent(name, `says "${state.quantType}", its name says "${keyType}"`);
  if (state.blockSize % 2 === 1) throw inconsistent(name, `has the odd block size ${state.blockSize}`);
  const size = sizeOfShape(state.shape);
  if (!Number.isSafeInteger(size)) throw inconsistent(name, `has a shape of more than 2^53 - 1 elements`);
  checkPacked(reader.file.entry(name), state, Math.ceil(size / 2));
  const scales = await loadScales(reader, state, blockCount(size, state.blockSize));
  const code = await loadCode(reader, state);
  return {
    format: state.quantType,
    shape: state.shape,
    dtype: state.dtype,
    blockSize: state.blockSize,
    codes: await reader.bytes(name),
    code,
    scales,
  };
}

function checkPacked(entry: TensorEntry, state: QuantState, expected: number): void {
  if (entry.byteLength === expected) return;
  throw inconsistent(
    entry.name,
    `has shape [${state.shape.join(", ")}], which takes ${expected} bytes of codes; the file has ${entry.byteLength}`,
  );
}

/** The stored table wins; without one, that of the format. */
async function loadCode(reader: SideReader, { quantType }: QuantState): Promise<Float32Array> {
  const name = `${reader.weight}.quant_map`;
  const known = hasFormat(quantType) && getFormat(quantType).bits === 4;
  return reader.file.entries.has(name) || !known ? reader.floats(name, 16) : getFormat(quantType).code;
}

async function loadScales(reader: SideReader, { nested }: QuantState, blocks: number): Promise<HostScales> {
  const { weight } = reader;
  if (!nested) return { kind: "block", absmax: await reader.floats(`${weight}.absmax`, blocks) };
  return {
    kind: "nested",
    absmax: await reader.expect(`${weight}.absmax`, "U8", blocks),
    nestedAbsmax: await reader.floats(`${weight}.nested_absmax`, blockCount(blocks, nested.blockSize)),
    nestedCode: await reader.floats(`${weight}.nested_quant_map`, 256),
    nestedBlockSize: nested.blockSize,
    offset: nested.offset,
  };
}

async function loadLinear8bit(reader: SideReader, { name, tensors }: StoredWeight, dtype: Float): Promise<HostWeight> {
  const entry = reader.file.entry(name);
  if (entry.dtype !== "I8" || entry.shape.length !== 2) throw mismatch(entry, name, "I8 with two dimensions");
  if (tensors[2]) checkRowFormat(name, await reader.bytes(tensors[2]));
  const absmax = await reader.floats(tensors[1]!, entry.shape[0]!);
  const codes = viewAs("int8", await reader.bytes(name));
  return {
    format: "int8-rowwise",
    shape: entry.shape,
    dtype,
    blockSize: 0,
    codes,
    code: getFormat("int8-rowwise").code,
    scales: { kind: "row", absmax },
  };
}

/** Only rows are loaded today: 0, or the word "row" that old files carry. Tiled layouts were removed upstream in 0.45. */
function checkRowFormat(name: string, bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  if (bytes[0] === 0 || text === "row") return;
  throw inconsistent(
    name,
    `has weight_format ${bytes.length === 1 ? bytes[0] : JSON.stringify(text)}; only row-major weights can be read`,
  );
}
