/** Writing: where each tensor goes, and the header that says so, byte for byte as the format's own library does it. */

import { halfbyteError } from "../errors.js";
import type { TensorEntry } from "./safetensors.js";
import { maxHeaderBytes, quoted } from "./safetensors-header.js";
import { isStoredDType, layoutRank, type StoredDType, storedByteCount } from "./stored-dtype.js";

export interface TensorSpec {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
}

export interface SafetensorsLayout {
  /** What the file starts with: the 8-byte length, the JSON and its padding. */
  readonly header: Uint8Array;
  /** In the order of the data. */
  readonly entries: readonly TensorEntry[];
  /** Of the whole file. */
  readonly byteLength: number;
}

/** Lays tensors out by dtype, widest alignment first, then by the UTF-8 bytes of their names. */
export function layoutSafetensors(
  tensors: readonly TensorSpec[],
  metadata?: Readonly<Record<string, string>>,
): SafetensorsLayout {
  checkNames(tensors);
  const sorted = [...tensors].sort(inFileOrder);
  const lengths = sorted.map(byteLengthOf);
  const ends = runningSums(lengths);
  const dataLength = ends.at(-1) ?? 0;
  if (!Number.isSafeInteger(dataLength))
    throw halfbyteError("INVALID_SHAPE", "The tensors have more than 2^53 - 1 bytes.");
  const header = encodeHeader(headerText(sorted, ends, lengths, metadata));
  const entries = sorted.map(({ name, dtype, shape }, i) => {
    const byteLength = lengths[i]!;
    return { name, dtype, shape: [...shape], byteOffset: header.length + ends[i]! - byteLength, byteLength };
  });
  return { header, entries, byteLength: header.length + dataLength };
}

/** A whole file in memory. */
export function writeSafetensors(
  tensors: readonly (TensorSpec & { readonly bytes: Uint8Array })[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const { header, entries, byteLength } = layoutSafetensors(tensors, metadata);
  const bytesOf = new Map(tensors.map(({ name, bytes }) => [name, bytes]));
  const file = new Uint8Array(byteLength);
  file.set(header);
  for (const entry of entries) {
    const bytes = bytesOf.get(entry.name)!;
    checkLength(entry, bytes.length);
    file.set(bytes, entry.byteOffset);
  }
  return file;
}

function inFileOrder(a: TensorSpec, b: TensorSpec): number {
  return layoutRank(a.dtype) - layoutRank(b.dtype) || compareUtf8(a.name, b.name);
}

/** Order of the UTF-8 bytes: that of the code units, except that surrogates come after everything else. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(i);
    if (difference !== 0) return utf8Weight(a.charCodeAt(i)) - utf8Weight(b.charCodeAt(i));
  }
  return a.length - b.length;
}

function utf8Weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function headerText(
  sorted: readonly TensorSpec[],
  ends: readonly number[],
  lengths: readonly number[],
  metadata: Readonly<Record<string, string>> | undefined,
): string {
  const members = sorted.map(({ name, dtype, shape }, i) => {
    const offsets = `[${ends[i]! - lengths[i]!},${ends[i]}]`;
    return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":${offsets}}`;
  });
  if (metadata !== undefined) members.unshift(`"__metadata__":${metadataText(metadata)}`);
  return `{${members.join(",")}}`;
}

function metadataText(metadata: Readonly<Record<string, string>>): string {
  const bad = Object.entries(metadata).find(([, value]) => typeof value !== "string");
  if (bad === undefined) return JSON.stringify(metadata);
  throw halfbyteError("METADATA_INVALID", `The metadata value ${quoted(bad[0])} is not a string.`, {
    details: { found: typeof bad[1], expected: "string" },
  });
}

function encodeHeader(text: string): Uint8Array {
  const json = new TextEncoder().encode(text);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes)
    throw halfbyteError(
      "HEADER_TOO_LARGE",
      `The header would have ${length} bytes; at most ${maxHeaderBytes} are allowed.`,
      {
        details: { found: length, expected: maxHeaderBytes },
        remedy: "Spread the tensors over several shards.",
      },
    );
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

function runningSums(lengths: readonly number[]): readonly number[] {
  let sum = 0;
  return lengths.map((length) => (sum += length));
}

function checkNames(tensors: readonly TensorSpec[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    const problem = nameProblem(name, seen);
    if (problem !== undefined)
      throw halfbyteError("INVALID_ARGUMENT", `Tensor ${quoted(name)} ${problem}.`, { details: { tensor: name } });
    seen.add(name);
  }
}

function nameProblem(name: string, seen: ReadonlySet<string>): string | undefined {
  if (seen.has(name)) return "is given twice";
  if (name === "__metadata__") return "has a name that the container reserves";
  return /\p{Surrogate}/u.test(name) ? "has a name that UTF-8 cannot hold" : undefined;
}

function byteLengthOf({ name, dtype, shape }: TensorSpec): number {
  if (!isStoredDType(dtype)) {
    const details = { tensor: name, found: String(dtype) };
    throw halfbyteError("UNKNOWN_DTYPE", `Tensor ${quoted(name)} has the dtype ${String(dtype)}.`, { details });
  }
  const length = shape.every((d) => Number.isSafeInteger(d) && d >= 0) ? storedByteCount(dtype, shape) : Number.NaN;
  if (Number.isSafeInteger(length)) return length;
  throw halfbyteError(
    "INVALID_SHAPE",
    `Tensor ${quoted(name)}: ${dtype} [${shape.join(", ")}] is no whole number of bytes.`,
    {
      details: { tensor: name, shape },
    },
  );
}

function checkLength({ name, dtype, shape, byteLength }: TensorEntry, found: number): void {
  if (found === byteLength) return;
  const message = `Tensor ${quoted(name)}: ${dtype} [${shape.join(", ")}] needs ${byteLength} bytes and has ${found}.`;
  throw halfbyteError("BYTE_COUNT_MISMATCH", message, {
    details: { tensor: name, shape, found, expected: byteLength },
    remedy: "Pass as many bytes as dtype and shape need.",
  });
}
