/**
 * The safetensors container:
 *
 * ```
 * 8 bytes   length of the header, little endian
 * header    JSON: name → { dtype, shape, data_offsets }, and `__metadata__`; padded with spaces
 * data      the tensors, little endian, row major, back to back
 * ```
 *
 * A file is either refused as a whole with the one thing that is wrong with it, or every entry of it can be trusted.
 */

import { halfbyteError, throwIfAborted } from "../errors.js";
import { maxHeaderBytes, parseHeader, quoted } from "./safetensors-header.js";
import type { Source } from "./source.js";
import type { StoredDType } from "./stored-dtype.js";

export { layoutSafetensors, type SafetensorsLayout, writeSafetensors } from "./safetensors-layout.js";
export { isStoredDType, type StoredDType, storedByteCount, storedDTypes } from "./stored-dtype.js";

export interface TensorEntry {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface ReadOptions {
  /** From the start of the tensor; default 0. */
  readonly offset?: number;
  /** Default: up to the end of the tensor. */
  readonly length?: number;
  readonly signal?: AbortSignal;
  /** See Source.read(). */
  readonly into?: Uint8Array;
}

export interface SafetensorsFile {
  readonly source: Source;
  /** The `__metadata__` of the header, an object without prototype. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
  /** In the order of the data. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Throws TENSOR_NOT_FOUND. */
  entry(name: string): TensorEntry;
  /** Bytes of one tensor, or of a part of it. */
  read(name: string, options?: ReadOptions): Promise<Uint8Array>;
  /** Closes the source. */
  close(): Promise<void>;
}

/** Reads and checks the header. The source belongs to the file from here on: it is closed when the file is refused. */
export async function openSafetensors(
  source: Source,
  options: { signal?: AbortSignal } = {},
): Promise<SafetensorsFile> {
  try {
    throwIfAborted(options.signal, `Opening ${source.name}`);
    const header = await readHeader(source, options.signal);
    const { metadata, entries } = parseHeader(header, source);
    return new OpenFile(source, metadata, entries);
  } catch (error) {
    await source.close().catch(() => undefined);
    throw error;
  }
}

class OpenFile implements SafetensorsFile {
  constructor(
    readonly source: Source,
    readonly metadata: Readonly<Record<string, string>> | undefined,
    readonly entries: ReadonlyMap<string, TensorEntry>,
  ) {}

  entry(name: string): TensorEntry {
    const entry = this.entries.get(name);
    if (entry !== undefined) return entry;
    throw halfbyteError("TENSOR_NOT_FOUND", `${this.source.name} has no tensor ${quoted(name)}.`, {
      details: { file: this.source.name, tensor: name },
    });
  }

  async read(name: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const entry = this.entry(name);
    const offset = options.offset ?? 0;
    const length = options.length ?? entry.byteLength - offset;
    checkPart(entry, offset, length);
    return this.source.read(entry.byteOffset + offset, length, options.signal, options.into);
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

function checkPart(entry: TensorEntry, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (whole && offset + length <= entry.byteLength) return;
  throw halfbyteError(
    "INVALID_ARGUMENT",
    `Tensor ${quoted(entry.name)} has ${entry.byteLength} bytes; ${length} bytes at ${offset} are not among them.`,
    { details: { tensor: entry.name, offset, found: length, expected: entry.byteLength } },
  );
}

async function readHeader(source: Source, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (source.size < 8) throw truncated(source, 8);
  const prefix = await source.read(0, 8, signal);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) throw tooLarge(source, length);
  if (8 + Number(length) > source.size) throw truncated(source, 8 + Number(length));
  return source.read(8, Number(length), signal);
}

function truncated(source: Source, expected: number): Error {
  const message = `${source.name} has ${source.size} bytes; its header ends at byte ${expected}.`;
  return halfbyteError("HEADER_TRUNCATED", message, { details: { file: source.name, found: source.size, expected } });
}

function tooLarge(source: Source, length: bigint): Error {
  const message = `${source.name} claims a header of ${length} bytes; at most ${maxHeaderBytes} are allowed.`;
  const details = { file: source.name, offset: 0, found: String(length), expected: maxHeaderBytes };
  return halfbyteError("HEADER_TOO_LARGE", message, { details });
}
