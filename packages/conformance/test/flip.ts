/** Vector files with one bit of one tensor flipped. */
import { readFileSync, writeFileSync } from "node:fs";
import { writeSafetensors } from "@halfbyte/core";
import { tensorsIn } from "../src/golden/tensors.js";
import { numbersOf, type Stored, widthOf } from "../src/judge/elements.js";

/** How a tensor is compared: bit for bit, in code steps, or within a tolerance. */
export type Comparison = "bits" | "steps" | "tolerance";

/** The whole file. */
export const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

export const readTensors = (path: string): Promise<Map<string, Stored>> => tensorsIn(bytesOf(path), path);

const storedNames = {
  float64: "F64",
  int64: "I64",
  float32: "F32",
  int32: "I32",
  float16: "F16",
  bfloat16: "BF16",
  int8: "I8",
  uint8: "U8",
} as const;

/** Writes tensors as a safetensors file. */
export function writeTensors(path: string, tensors: ReadonlyMap<string, Stored>): void {
  const list = [...tensors].map(([name, { dtype, shape, bytes }]) => ({
    name,
    dtype: storedNames[dtype],
    shape,
    bytes,
  }));
  writeFileSync(path, writeSafetensors(list, { format: "pt" }));
}

/**
 * A copy with one bit flipped. Where bits are compared, the lowest one of an element in the middle: the smallest error there
 * is. Where one code step is allowed, the bit worth two. Within a tolerance, the highest mantissa bit of the largest number.
 */
export function flipped(stored: Stored, comparison: Comparison): Stored {
  const bytes = stored.bytes.slice();
  const width = widthOf(stored.dtype);
  const middle = Math.floor(bytes.length / width / 2);
  if (comparison === "tolerance") flipBit(bytes, largestElement(stored) * width * 8 + mantissaBits[stored.dtype] - 1);
  else flipBit(bytes, middle * width * 8 + (comparison === "steps" ? 1 : 0));
  return { ...stored, bytes };
}

/** For integers: the bit below the sign. */
const mantissaBits = {
  float64: 52,
  int64: 63,
  float32: 23,
  int32: 31,
  float16: 10,
  bfloat16: 7,
  int8: 7,
  uint8: 7,
} as const;

function flipBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3]! ^= 1 << (bit & 7);
}

function largestElement(stored: Stored): number {
  const sizes = numbersOf(stored).map(Math.abs);
  return sizes.indexOf(Math.max(...sizes));
}

/** Flips the lowest bit of one byte of a file. */
export function flipByteOf(path: string, at: number): void {
  const file = bytesOf(path);
  file[at]! ^= 1;
  writeFileSync(path, file);
}

/** Where the data of a safetensors file begins. */
export const headerEnd = (file: Uint8Array): number =>
  8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
