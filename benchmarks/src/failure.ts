/** How failures are told. */
import { isHalfbyteError, messageOf } from "@halfbyte/core";

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** In a sentence, with the code where there is one. */
export const tell = (thrown: unknown): string =>
  isHalfbyteError(thrown) ? `${thrown.message} (${thrown.code})` : messageOf(thrown);

export const exitCodeOf = (thrown: unknown): number =>
  isHalfbyteError(thrown) && (thrown.code === "INVALID_ARGUMENT" || thrown.code === "UNKNOWN_FORMAT")
    ? exitCodes.usage
    : exitCodes.failed;
