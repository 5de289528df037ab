/** Why something native is not used, with the remedy of its code. */
import { type ErrorCode, halfbyteError, type Reason } from "@halfbyte/core";

export function reasonOf(code: ErrorCode, message: string): Reason {
  const { remedy } = halfbyteError(code, message);
  return { code, message, remedy };
}
