/**
 * What of a choice is said, and how loudly: at debug every source and verdict, at info the file, at warn, once, what a user may
 * want to know without asking: a library that is not the framework's version, is degraded, or was forced.
 */
import { logOnce, type Source } from "@halfbyte/core";
import type { Choice } from "./choose.js";
import type { Examination } from "./machine-facts.js";
import { isRefused } from "./override.js";
import type { Selection, Verdict } from "./selection.js";

/** The whole story, for HALFBYTE_LOG_LEVEL=debug. */
export function tellFindings({ sources }: Examination, { selection, prefer }: Choice): void {
  const found = sources.map((source) => `  ${source.name}: ${sayFound(source)}`);
  const verdicts = selection.candidates.map((verdict) => `  ${sayVerdict(verdict)}`);
  logOnce("debug", `cuda: what was found\n${found.join("\n")}`);
  logOnce("debug", `cuda: the libraries, best first (prefer ${prefer})\n${verdicts.join("\n") || "  none"}`);
}

function sayFound({ value, usedFor, ignoredBecause, error, ms }: Source): string {
  const part = usedFor === undefined ? ignoredBecause && `ignored: ${ignoredBecause}` : `used for ${usedFor}`;
  const failed = error && `failed: ${error}`;
  return [value ?? "nothing", part, failed, `${ms} ms`].filter((word) => word !== undefined && word !== "").join("; ");
}

export const sayVerdict = ({ library, path, verdict, code, reason }: Verdict): string =>
  `${library} ${verdict} (${code}): ${reason} [${path}]`;

/** About the library that is used from now on. */
export function tellLibrary(path: string, choice: Choice): void {
  const verdict = choice.selection.candidates.find((candidate) => candidate.path === path);
  if (!verdict) return;
  logOnce("info", `cuda: using ${path} (${verdict.verdict}, ${verdict.code})`);
  if (choice.override) logOnce("warn", sayOverride(verdict, choice));
  else if (!unremarkable.includes(verdict.code))
    logOnce("warn", `cuda: using ${verdict.library}. ${verdict.reason}${wayOut(verdict, choice.selection)}`);
}

const unremarkable: readonly string[] = ["EXACT", "NO_HOST"];

/** The checks do not decide here, so they are said. */
function sayOverride({ library, verdict, code, reason }: Verdict, { override }: Choice): string {
  const { variable, value, asks, ignored } = override!;
  const other = ignored === undefined || isRefused(asks) ? "" : ` ${ignored} is set too and ignored.`;
  return `cuda: ${variable}=${value} forces ${library}.${other} Without it the verdict is: ${verdict} (${code}). ${reason}`;
}

/** For a gamble there is mostly a safe alternative. */
function wayOut({ degraded, code }: Verdict, { candidates }: Selection): string {
  const safe = candidates.find((candidate) => candidate.verdict !== "refused" && !candidate.degraded);
  if (!degraded || !safe) return "";
  const how = code === "PTX_JIT" ? "" : ', as prefer: "driver" would';
  return ` HALFBYTE_CUDA_VERSION=${safe.library.replace(/\D/g, "")} takes ${safe.library} instead${how}.`;
}
