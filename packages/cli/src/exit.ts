/** Exit codes, and how a failure is told: a sentence and a remedy for people, one JSON object for programs. */
import { type HalfbyteError, isHalfbyteError, messageOf } from "@halfbyte/core";

export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, interrupted: 130 } as const;

/** Codes of failures that are not plain `1`. */
const special: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: exitCodes.usage,
  UNKNOWN_FORMAT: exitCodes.usage,
  UNSUPPORTED_BLOCK_SIZE: exitCodes.usage,
  OUTPUT_EXISTS: exitCodes.refused,
  OVERRIDE_INVALID: exitCodes.refused,
  OVERRIDE_NOT_FOUND: exitCodes.refused,
  ABORTED: exitCodes.interrupted,
};

/** Tells a failure and gives its exit code. */
export function tellFailure(thrown: unknown, json: boolean): number {
  const error = describe(thrown);
  if (json) process.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`);
  else if (error.code === "ABORTED") process.stderr.write("interrupted; nothing was written\n");
  else process.stderr.write(`error: ${error.message}\n${error.remedy ? `  ${error.remedy}\n` : ""}  (${error.code})\n`);
  return special[error.code] ?? exitCodes.failed;
}

type Description = Pick<HalfbyteError, "code" | "message" | "remedy" | "details">;

function describe(thrown: unknown): Description {
  if (isHalfbyteError(thrown))
    return { code: thrown.code, message: thrown.message, remedy: thrown.remedy, details: thrown.details };
  return {
    code: "UNEXPECTED",
    message: messageOf(thrown),
    remedy: "This is a defect of halfbyte: please report it with the command you ran.",
    details: {},
  };
}
