/**
 * A format is a record: a table of 16 or 256 values and a codec for the scales that go with it. Everything else — order,
 * thresholds, packing, sizes — is derived. A new format is a new record, never new code; it may be registered at run time.
 */
import { halfbyteError } from "../errors.js";

export interface Format {
  /** Key of the registry; for 4-bit formats also the `quant_type` of a checkpoint. */
  readonly name: string;
  /** Bits per code. 4-bit codes travel two to a byte, the first in the high nibble. */
  readonly bits: 4 | 8;
  /** `block`: one absmax per run of `blockSize` elements of the flat tensor. `row`: one absmax per row (LLM.int8()). */
  readonly scales: "block" | "row";
  /** The value of every code, in code order, for a scale of 1. */
  readonly code: Float32Array;
  /** What `quantize` allows; the first one listed in `defaultBlockSize` is used when none is given. */
  readonly blockSizes: readonly number[];
  readonly defaultBlockSize: number;
  /** Rules of the CUDA source that differ from midpoint thresholds (profile `cuda`). */
  readonly cuda?: SignMagnitudeThresholds;
  /** Where the table comes from. */
  readonly source: string;
}

/** Decide on |x| against ascending thresholds (x > t), then add `signBit` to the code of a negative value. */
export interface SignMagnitudeThresholds {
  readonly thresholds: Float32Array;
  /** Code of magnitude interval i; one more than thresholds. */
  readonly codes: readonly number[];
  readonly signBit: number;
}

/** Block sizes of the 4-bit formats: powers of two 32 … 4096. */
export const blockSizes4bit: readonly number[] = [32, 64, 128, 256, 512, 1024, 2048, 4096];

/** A 4-bit block format from its table alone: 16 finite values, in code order. */
export function tableFormat(name: string, code: Float32Array, source: string, cuda?: SignMagnitudeThresholds): Format {
  const record = {
    name,
    bits: 4,
    scales: "block",
    code,
    blockSizes: blockSizes4bit,
    defaultBlockSize: 64,
    source,
  } as const;
  return cuda ? { ...record, cuda } : record;
}

/** Number of blocks, the last one possibly partial. */
export const blockCount = (size: number, blockSize: number): number => Math.ceil(size / blockSize);

/** Bytes of `size` codes. */
export const codeBytes = (format: Pick<Format, "bits">, size: number): number =>
  format.bits === 4 ? Math.ceil(size / 2) : size;

/** Block size of the second level of nested statistics; upstream fuses no other. */
export const nestedBlockSize = 256;

/** Bits stored per weight, scales included: 4.5 for nf4 at block 64, 4.127 with nested scales. */
export function bitsPerWeight(format: Pick<Format, "bits">, blockSize: number, nested: boolean): number {
  if (blockSize === 0) return format.bits;
  return format.bits + (nested ? 8 + 32 / nestedBlockSize : 32) / blockSize;
}

/** Throws INVALID_FORMAT when the record breaks a rule. */
export function checkFormat(format: Format): void {
  const wrong = (why: string) => halfbyteError("INVALID_FORMAT", `Format "${format.name}" ${why}.`);
  if (!/^[a-z0-9][a-z0-9-]*$/.test(format.name)) throw wrong("needs a name of lower-case letters, digits and dashes");
  if (format.code.length !== 2 ** format.bits)
    throw wrong(`has ${format.code.length} entries instead of ${2 ** format.bits}`);
  if (!format.code.every(Number.isFinite)) throw wrong("has an entry that is not finite");
  if (format.bits === 8 && format.code.some((value, i) => i > 0 && value < format.code[i - 1]!))
    throw wrong("must be sorted ascending");
  if (format.bits === 4 && format.blockSizes.some((size) => size % 2 === 1))
    throw wrong("needs even block sizes: two codes share a byte");
}
