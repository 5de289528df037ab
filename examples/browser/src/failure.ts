/** What went wrong, as plain data: it crosses from worker to page, and is shown as a sentence, a remedy and a code. */
import { halfbyteError, isHalfbyteError, messageOf, type Reason } from "@halfbyte/core";

export const reasonOf = ({ code, message, remedy }: Reason): Reason => ({ code, message, remedy });

/** Every failure has a code and a remedy; what nobody foresaw is told by its own name. */
export function failureOf(thrown: unknown): Reason {
  if (isHalfbyteError(thrown)) return reasonOf(thrown);
  if (isOutOfMemory(thrown)) return reasonOf(outOfMemory(thrown));
  const code = thrown instanceof Error ? thrown.name : "Error";
  return {
    code,
    message: messageOf(thrown),
    remedy: "Reload the page and try again; if it stays, report it with this text.",
  };
}

/** Engines have no code for it: a RangeError of an allocation, or the exception of a file that no longer fits. */
const isOutOfMemory = (thrown: unknown): boolean =>
  thrown instanceof RangeError && /alloc|memory|array (buffer )?length/i.test(thrown.message);

const outOfMemory = (cause: unknown) =>
  halfbyteError("OUT_OF_MEMORY", `This tab has no memory left: ${messageOf(cause)}.`, {
    cause,
    remedy: "Close other tabs, or quantize the shards of the model one at a time.",
  });

/** An error again, on the other side. */
export const errorFrom = (reason: Reason): Error & Reason => Object.assign(new Error(reason.message), reason);
