/** The end of the loading story, at debug: what was tried, and what came of it. What was found is told by tell-choice.ts. */
import { log } from "@halfbyte/core";
import type { Diagnosis, ProbedLibrary } from "./diagnosis.js";

export function tellDiagnosis({ dependencies, probe, status, code, message, remedy }: Diagnosis): void {
  for (const { path, missing, error } of dependencies)
    if (missing.length > 0 || error !== null) log("debug", `cuda: ${path} needs ${error ?? missing.join(", ")}`);
  for (const tried of probe.tried) log("debug", `cuda: ${sayTried(tried)}`);
  if (probe.notRunBecause !== null) log("debug", `cuda: no library was tried. ${probe.notRunBecause}`);
  log("debug", `cuda: ${status} (${code}): ${message} ${remedy}`);
}

const sayTried = ({ path, passed, ms, code, reason }: ProbedLibrary): string =>
  passed ? `${path} passed its probe in ${ms} ms` : `${path} failed its probe in ${ms} ms (${code}): ${reason}`;
