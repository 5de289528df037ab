/** The header of a safetensors file: every claim it makes is checked before anything relies on it. */

import { type Details, type ErrorCode, type HalfbyteError, halfbyteError } from "../errors.js";
import type { TensorEntry } from "./safetensors.js";
import type { Source } from "./source.js";
import { isStoredDType, type StoredDType, storedByteCount, storedDTypes } from "./stored-dtype.js";
import {
  forEachMember,
  isJsonError,
  isJsonObject,
  type JsonError,
  type JsonObject,
  type JsonValue,
} from "./strict-json.js";

/** The limit of the format's own library. */
export const maxHeaderBytes = 100_000_000;

export interface Header {
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly entries: ReadonlyMap<string, TensorEntry>;
}

/** `bytes` is the header without its 8-byte length. */
export function parseHeader(bytes: Uint8Array, source: Source): Header {
  const file: Container = { name: source.name, dataStart: 8 + bytes.length, end: source.size };
  const text = decode(bytes, file);
  const entries: TensorEntry[] = [];
  let metadata: Header["metadata"];
  const visit = (name: string, value: JsonValue): void => {
    if (name === "__metadata__") metadata = metadataOf(value, file);
    else entries.push(entryOf(name, value, file));
  };
  forEachHeaderMember(text, visit, file);
  entries.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  checkTiling(entries, file);
  return { metadata, entries: new Map(entries.map((entry) => [entry.name, entry])) };
}

/** A name for a message: quoted, and short even when the name is not. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}

interface Container {
  readonly name: string;
  readonly dataStart: number;
  readonly end: number;
}

function decode(bytes: Uint8Array, file: Container): string {
  try {
    // A byte order mark is kept, so that it is refused as the stray character it is.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw halfbyteError("HEADER_NOT_UTF8", `The header of ${file.name} is not valid UTF-8.`, {
      details: { file: file.name, offset: 8 },
      cause,
    });
  }
}

function forEachHeaderMember(text: string, visit: (name: string, value: JsonValue) => void, file: Container): void {
  if (!text.startsWith("{")) {
    const message = `The header of ${file.name} does not start with "{".`;
    throw halfbyteError("HEADER_NOT_JSON", message, { details: { file: file.name, offset: 8 } });
  }
  try {
    forEachMember(text, visit, { integersOnly: true });
  } catch (error) {
    throw isJsonError(error) ? translate(error, text, file) : error;
  }
}

function translate(error: JsonError, text: string, file: Container): HalfbyteError {
  const offset = 8 + new TextEncoder().encode(text.slice(0, error.offset)).length;
  const details = { file: file.name, offset };
  if (error.kind === "syntax")
    return halfbyteError("HEADER_NOT_JSON", `The header of ${file.name} is not JSON at byte ${offset}.`, { details });
  const key = error.key ?? "";
  const [tensor = key] = error.path;
  const place = error.path.length === 0 ? "" : ` in the entry ${quoted(tensor)}`;
  const message = `The header of ${file.name} has the key ${quoted(key)} twice${place}.`;
  return halfbyteError("HEADER_DUPLICATE_KEY", message, { details: { ...details, tensor, found: key } });
}

function metadataOf(value: JsonValue, file: Container): Readonly<Record<string, string>> {
  if (isJsonObject(value) && isStringRecord(value)) return value;
  const found = isJsonObject(value) ? nonString(value) : typeNameOf(value);
  const message = `__metadata__ of ${file.name} must be an object of strings; it is ${found}.`;
  throw halfbyteError("METADATA_INVALID", message, {
    details: { file: file.name, found, expected: "object of strings" },
  });
}

function isStringRecord(value: JsonObject): value is Readonly<Record<string, string>> {
  return Object.values(value).every((item) => typeof item === "string");
}

function nonString(value: JsonObject): string {
  const [key = "", item = null] = Object.entries(value).find(([, item]) => typeof item !== "string") ?? [];
  return `an object whose ${quoted(key)} is ${typeNameOf(item)}`;
}

function entryOf(tensor: string, value: JsonValue, file: Container): TensorEntry {
  const fields = fieldsOf(tensor, value, file);
  const dtype = dtypeOf(tensor, fields.dtype, file);
  const shape = shapeOf(tensor, fields.shape, file);
  const [begin, end] = offsetsOf(tensor, fields.offsets, file);
  checkByteCount(tensor, dtype, shape, end - begin, file);
  return { name: tensor, dtype, shape, byteOffset: file.dataStart + begin, byteLength: end - begin };
}

interface Fields {
  readonly dtype: string;
  readonly shape: readonly JsonValue[];
  readonly offsets: readonly JsonValue[];
}

const fieldNames = ["dtype", "shape", "data_offsets"];

function fieldsOf(tensor: string, value: JsonValue, file: Container): Fields {
  const invalid = (found: string, expected: string): HalfbyteError =>
    refusal("HEADER_ENTRY_INVALID", tensor, `its entry has ${found} where ${expected} belongs`, file, {
      found,
      expected,
    });
  if (!isJsonObject(value)) throw invalid(typeNameOf(value), "an object");
  const keys = Object.keys(value);
  const extra = keys.find((key) => !fieldNames.includes(key));
  if (extra !== undefined) throw invalid(`the field ${quoted(extra)}`, "only dtype, shape and data_offsets");
  const missing = fieldNames.find((key) => !keys.includes(key));
  if (missing !== undefined) throw invalid("nothing", `the field "${missing}"`);
  const { dtype = null, shape = null, data_offsets: offsets = null } = value;
  if (typeof dtype !== "string") throw invalid(`a dtype that is ${typeNameOf(dtype)}`, "a string");
  if (!isJsonArray(shape)) throw invalid(`a shape that is ${typeNameOf(shape)}`, "an array");
  if (!isJsonArray(offsets)) throw invalid(`data_offsets that are ${typeNameOf(offsets)}`, "an array");
  return { dtype, shape, offsets };
}

function dtypeOf(tensor: string, dtype: string, file: Container): StoredDType {
  if (isStoredDType(dtype)) return dtype;
  const expected = storedDTypes.join(", ");
  const message = `its dtype ${quoted(dtype)} is none of ${expected}`;
  throw refusal("UNKNOWN_DTYPE", tensor, message, file, { found: dtype, expected });
}

function shapeOf(tensor: string, shape: readonly JsonValue[], file: Container): readonly number[] {
  const index = shape.findIndex((dimension) => !isDimension(dimension));
  if (index < 0) return shape.filter((dimension) => typeof dimension === "number");
  const found = describe(shape[index]!);
  const message = `dimension ${index} of its shape is ${found}, not a non-negative integer`;
  throw refusal("TENSOR_SHAPE_INVALID", tensor, message, file, { index, found, expected: "non-negative integer" });
}

function offsetsOf(tensor: string, offsets: readonly JsonValue[], file: Container): readonly [number, number] {
  const [begin, end] = offsets;
  if (offsets.length !== 2 || !isOffset(begin) || !isOffset(end) || begin > end) {
    const found = `[${offsets.slice(0, 4).map(describe).join(", ")}${offsets.length > 4 ? ", …" : ""}]`;
    const message = `its data_offsets ${found} are not a pair begin <= end of non-negative integers`;
    throw refusal("OFFSETS_INVALID", tensor, message, file, { found, expected: "[begin, end]" });
  }
  const size = file.end - file.dataStart;
  if (end <= size) return [begin, end];
  const message = `it ends at byte ${end} of a data section of ${size} bytes`;
  throw refusal("OFFSETS_OUT_OF_RANGE", tensor, message, file, {
    offset: file.dataStart + begin,
    found: end,
    expected: size,
  });
}

function checkByteCount(
  tensor: string,
  dtype: StoredDType,
  shape: readonly number[],
  found: number,
  file: Container,
): void {
  const expected = storedByteCount(dtype, shape);
  if (expected === found) return;
  const what = `${dtype} [${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}]`;
  const details = { shape, found, expected };
  if (expected === Number.POSITIVE_INFINITY)
    throw refusal("TENSOR_SHAPE_OVERFLOW", tensor, `${what} has more than 2^53 - 1 bytes`, file, { shape });
  throw refusal("BYTE_COUNT_MISMATCH", tensor, `${what} needs ${expected} bytes and has ${found}`, file, details);
}

/** The tensors, sorted by offset, must cover the data section exactly. */
function checkTiling(entries: readonly TensorEntry[], file: Container): void {
  let covered = file.dataStart;
  for (const { name, byteOffset, byteLength } of entries) {
    if (byteOffset < covered) throw overlap(name, byteOffset, covered, file);
    if (byteOffset > covered)
      throw gap(`between byte ${covered} and tensor ${quoted(name)}`, covered, byteOffset, file, name);
    covered += byteLength;
  }
  if (covered < file.end) throw gap(`after the last tensor, at byte ${covered},`, covered, file.end, file);
}

function overlap(tensor: string, offset: number, covered: number, file: Container): HalfbyteError {
  const message = `it starts at byte ${offset}, inside the tensor that ends at byte ${covered}`;
  return refusal("TENSORS_OVERLAP", tensor, message, file, { offset, found: offset, expected: covered });
}

function gap(place: string, begin: number, end: number, file: Container, tensor?: string): HalfbyteError {
  const message = `${file.name}: ${end - begin} bytes ${place} belong to no tensor.`;
  const name = tensor === undefined ? {} : { tensor };
  return halfbyteError("TENSORS_GAP", message, {
    details: { file: file.name, ...name, offset: begin, found: end, expected: begin },
  });
}

function refusal(code: ErrorCode, tensor: string, problem: string, file: Container, details: Details): HalfbyteError {
  const message = `Tensor ${quoted(tensor)} of ${file.name}: ${problem}.`;
  return halfbyteError(code, message, { details: { file: file.name, tensor, ...details } });
}

/** Integers above 2^53 - 1 pass here; they are an overflow of the size, not a malformed dimension. */
function isDimension(value: JsonValue): boolean {
  return Number.isInteger(value) && Number(value) >= 0;
}

function isOffset(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function typeNameOf(value: JsonValue): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function describe(value: JsonValue): string {
  if (typeof value !== "number") return typeNameOf(value);
  return Number.isNaN(value) ? "a fraction or exponent" : String(value);
}
