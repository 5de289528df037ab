/** The quant_state of a 4-bit weight: a small JSON object stored as a uint8 tensor beside the codes (bitsandbytes functional.py, QuantState). */
import { floatDtypes } from "../dtype.js";
import { halfbyteError, messageOf } from "../errors.js";
import type { Float } from "../tensor.js";
import { PythonFloat, pythonDumps } from "./python-json.js";
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from "./strict-json.js";

export interface QuantState {
  readonly quantType: string;
  readonly blockSize: number;
  readonly dtype: Float;
  readonly shape: readonly number[];
  readonly nested?: { readonly blockSize: number; readonly offset: number };
}

/** UTF-8 of the text Python writes, keys in its order. */
export function encodeQuantState({ quantType, blockSize, dtype, shape, nested }: QuantState): Uint8Array {
  const plain = { quant_type: quantType, blocksize: blockSize, dtype, shape };
  const statistics = nested && {
    nested_blocksize: nested.blockSize,
    nested_dtype: "float32",
    nested_offset: new PythonFloat(nested.offset),
  };
  return new TextEncoder().encode(pythonDumps({ ...plain, ...statistics }));
}

/** Throws QUANT_STATE_INVALID naming the weight and the field. */
export function parseQuantState(bytes: Uint8Array, weight: string): QuantState {
  const state = parseObject(bytes, weight);
  const fail = (field: string): Error =>
    invalid(weight, `its field ${field} is ${JSON.stringify(state[field] ?? null)}`);
  const { quant_type: quantType, blocksize: blockSize, dtype, shape } = state;
  if (typeof quantType !== "string") throw fail("quant_type");
  if (!isCount(blockSize) || blockSize === 0) throw fail("blocksize");
  if (!isFloatName(dtype)) throw fail("dtype");
  if (!isShape(shape)) throw fail("shape");
  const plain = { quantType, blockSize, dtype, shape };
  if (state["nested_blocksize"] === undefined) return plain;
  const { nested_blocksize: nestedBlockSize, nested_offset: offset, nested_dtype: nestedDtype } = state;
  if (!isCount(nestedBlockSize) || nestedBlockSize === 0) throw fail("nested_blocksize");
  if (typeof offset !== "number" || !Number.isFinite(Math.fround(offset))) throw fail("nested_offset");
  if (nestedDtype !== undefined && nestedDtype !== "float32") throw fail("nested_dtype");
  return { ...plain, nested: { blockSize: nestedBlockSize, offset: Math.fround(offset) } };
}

function parseObject(bytes: Uint8Array, weight: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(weight, messageOf(cause), cause);
  }
  if (isJsonObject(value)) return value;
  throw invalid(weight, "it is not an object");
}

function invalid(weight: string, why: string, cause?: unknown): Error {
  return halfbyteError("QUANT_STATE_INVALID", `The quant_state of "${weight}" is invalid: ${why}.`, {
    details: { tensor: weight },
    cause,
  });
}

const isCount = (value: JsonValue | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isShape = (value: JsonValue | undefined): value is readonly number[] =>
  Array.isArray(value) && value.every(isCount);
const isFloatName = (value: JsonValue | undefined): value is Float =>
  (floatDtypes as readonly unknown[]).includes(value);
