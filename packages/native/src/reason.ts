/** Why something native is not used, with the remedy of its code unless the place knows a better one. */
import { type ErrorCode, halfbyteError, type Reason } from "@halfbyte/core";

export function reasonOf(code: ErrorCode, message: string, better?: string): Reason {
  const { remedy } = halfbyteError(code, message, better === undefined ? {} : { remedy: better });
  return { code, message, remedy };
}
