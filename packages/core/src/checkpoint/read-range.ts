/** What every source checks about a read. */

import { type HalfbyteError, halfbyteError, messageOf, throwIfAborted } from "../errors.js";

interface Sized {
  readonly name: string;
  readonly size: number;
}

/** Throws unless `length` bytes at `offset` are inside the source and the signal has not fired. */
export function checkRange(source: Sized, offset: number, length: number, signal: AbortSignal | undefined): void {
  throwIfAborted(signal, `Reading ${source.name}`);
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole) throw readFailed(source, offset, 0, length, "the range is not one of non-negative integers");
  if (offset + length <= source.size) return;
  throw readFailed(source, offset, Math.max(0, source.size - offset), length, `it has ${source.size} bytes`);
}

export function readFailed(
  source: { readonly name: string },
  offset: number,
  found: number,
  expected: number,
  why: string,
  cause?: unknown,
): HalfbyteError {
  const message = `Reading ${expected} bytes at ${offset} of ${source.name} failed: ${why}.`;
  return halfbyteError("READ_FAILED", message, { details: { file: source.name, offset, found, expected }, cause });
}

/** The error for a read that threw: ABORTED when the signal fired, else READ_FAILED. */
export function readThrew(
  source: { readonly name: string },
  read: { readonly offset: number; readonly length: number; readonly found?: number },
  thrown: unknown,
  signal?: AbortSignal,
): HalfbyteError {
  if (signal?.aborted) return halfbyteError("ABORTED", `Reading ${source.name} was aborted.`, { cause: signal.reason });
  return readFailed(source, read.offset, read.found ?? 0, read.length, reasonOf(thrown), thrown);
}

/** `fetch` says no more than "fetch failed"; what happened is in the cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error ? `${messageOf(thrown)} (${messageOf(cause)})` : messageOf(thrown);
}

/** OUT_OF_MEMORY where the platform would throw a RangeError without context. */
export function allocate(source: Sized, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    const message = `No ${length} bytes of memory to read ${source.name} into.`;
    const remedy = "Read the tensor in parts.";
    throw halfbyteError("OUT_OF_MEMORY", message, { details: { file: source.name, expected: length }, remedy, cause });
  }
}
