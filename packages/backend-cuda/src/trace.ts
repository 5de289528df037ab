/** The whole loading story in the log, at level debug: every source, every verdict, every probe, and what came of it. */
import { log } from "@halfbyte/core";
import type { Diagnosis, ExaminedSource } from "./diagnosis.js";

export function traceDiagnosis(diagnosis: Diagnosis): void {
  for (const line of traceLines(diagnosis)) log("debug", line);
}

export function traceLines({ sources, candidates, probe, status, code, message }: Diagnosis): string[] {
  return [
    ...sources.map(sourceLine),
    ...candidates.map(
      ({ library, path, verdict, code, reason }) => `${library} at ${path}: ${verdict} (${code}). ${reason}`,
    ),
    ...probe.tried.map(({ library, passed, ms, code, reason }) =>
      passed
        ? `${library} passed its probe in ${ms} ms`
        : `${library} failed its probe in ${ms} ms (${code}): ${reason}`,
    ),
    ...(probe.notRunBecause === null ? [] : [`no probe: ${probe.notRunBecause}`]),
    `${status} (${code}): ${message}`,
  ];
}

function sourceLine({ name, value, usedFor, ignoredBecause, ms, error }: ExaminedSource): string {
  const use = usedFor ?? (ignoredBecause === null ? "not used" : `ignored because ${ignoredBecause}`);
  return `${name}: ${error ?? value ?? "nothing"}; ${use} (${ms} ms)`;
}
