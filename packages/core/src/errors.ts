/**
 * The vocabulary of failures. Every error halfbyte throws is a plain `Error` with a stable `code`, a `remedy` and
 * `details`; it is recognized by `code`, never by `instanceof`, so that the ESM and CJS builds understand each other.
 * `docs/errors.md` is generated from the catalogue.
 */
import { errorCatalogue } from "./error-catalogue.js";

/** Recognized by `code`, never by instanceof. `details`: tensor, shape, index, offset, found, expected. */
export interface HalfbyteError extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly details: Details;
}

export interface Details {
  readonly [key: string]: string | number | readonly number[];
}

export type ErrorCode = keyof typeof errorCatalogue;

export interface ErrorOptions {
  readonly details?: Details;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** An error of the catalogue; `remedy` defaults to the catalogue's. */
export function halfbyteError(code: ErrorCode, message: string, options: ErrorOptions = {}): HalfbyteError {
  const { name, remedy } = errorCatalogue[code];
  const error = new Error(message, options.cause === undefined ? undefined : { cause: options.cause });
  return Object.assign(error, { name, code, remedy: options.remedy ?? remedy, details: options.details ?? {} });
}

export function isHalfbyteError(value: unknown): value is HalfbyteError {
  return value instanceof Error && "code" in value && typeof value.code === "string" && "remedy" in value;
}

/** What a quantizer found in its input; `index` is the lowest flat one. */
export const nonFiniteInput = (index: number): HalfbyteError =>
  halfbyteError("NON_FINITE_INPUT", `The input is NaN or infinite at flat index ${index}.`, { details: { index } });

/** Throws ABORTED when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw halfbyteError("ABORTED", `${what} was aborted.`, { cause: signal.reason });
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
