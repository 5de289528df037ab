/** A reason that ends what was asked for. */
import { type ErrorCode, type HalfbyteError, halfbyteError, type Reason } from "@halfbyte/core";

export const errorOf = ({ code, message, remedy }: Reason, details: HalfbyteError["details"] = {}): HalfbyteError =>
  halfbyteError(code as ErrorCode, message, { remedy, details });
