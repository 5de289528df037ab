/** Names that a checkpoint may give its files. */

import { halfbyteError } from "../errors.js";

/**
 * Throws SHARD_NAME_UNSAFE unless the name is that of a file directly inside the checkpoint's folder, on every system:
 * a backslash and a drive letter lead out of the folder on Windows only, yet a checkpoint must mean the same everywhere.
 */
export function checkFileName(name: string): void {
  const problem = problemOf(name);
  if (problem === undefined) return;
  const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
  throw halfbyteError("SHARD_NAME_UNSAFE", `The file name ${shown} ${problem}.`, { details: { file: name } });
}

function problemOf(name: string): string | undefined {
  if (name === "") return "is empty";
  if (name === "." || name === "..") return "is not a file";
  if (/[/\\]/.test(name)) return "contains a path separator";
  if (/:/.test(name)) return "contains a colon, which names a drive or a stream on Windows";
  return /\p{Cc}/u.test(name) ? "contains a control character" : undefined;
}
