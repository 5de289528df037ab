/** What an examination, a choice and its probes come to: one status word, a code, a sentence, and what runs. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { Choice } from "./choose.js";
import type { Diagnosis, ProbedLibrary, Status } from "./diagnosis.js";
import { libraryId } from "./library-name.js";
import type { MachineFacts } from "./machine-facts.js";
import type { Environment } from "./override.js";
import type { Verdict } from "./selection.js";

export interface Conclusion {
  readonly status: Status;
  /** What is wrong, or what is to be said of the library that is used. */
  readonly reason: Reason;
  readonly askedBy: string | null;
  /** The library that is used. */
  readonly chosen?: Verdict;
}

export interface Asked {
  readonly backend?: "cuda";
}

export function conclude(
  env: Environment,
  facts: MachineFacts,
  choice: Choice,
  tried: Diagnosis["probe"]["tried"],
  options: Asked,
): Conclusion {
  const askedBy = askedByWhom(env, facts, choice, options);
  const chosen = chosenOf(choice, tried);
  if (chosen) return { ...judged(chosen, tried), askedBy, chosen };
  const reason = choice.problem ?? failureOf(tried, choice);
  if (reason.code.startsWith("OVERRIDE_")) return { status: "override-invalid", reason, askedBy };
  return { status: askedBy === null ? "cpu-only" : "unusable", reason, askedBy };
}

/** Without anybody who asks, a machine that cannot have CUDA is in order as it is. */
function askedByWhom(env: Environment, facts: MachineFacts, { override }: Choice, { backend }: Asked): string | null {
  if (override) return override.variable;
  if (backend) return `--backend ${backend}`;
  if (/^\s*cuda\s*(,|$)/.test(env["HALFBYTE_BACKEND"] ?? "")) return "HALFBYTE_BACKEND";
  return facts.hardware || (facts.gpus ?? []).length > 0 ? "an NVIDIA GPU is present" : null;
}

/** The first that passed. When nothing was tried, the first that would be, unless its verdict speaks against it. */
function chosenOf({ selection: { candidates, usable } }: Choice, tried: readonly ProbedLibrary[]): Verdict | undefined {
  const passed = tried.find(({ passed }) => passed);
  const path = passed?.path ?? (tried.length === 0 ? usable[0]?.path : undefined);
  const verdict = candidates.find((candidate) => candidate.path === path);
  return verdict?.verdict === "refused" && !passed ? undefined : verdict;
}

/** How the library that is used does. */
function judged(chosen: Verdict, tried: readonly ProbedLibrary[]): Pick<Conclusion, "status" | "reason"> {
  const { code, library, degraded, verdict, remedy = "" } = chosen;
  const failed = tried.find(({ passed }) => !passed);
  if (failed) {
    const message = `${library} is used, because ${failed.library} failed: ${failed.reason}`;
    return { status: "degraded", reason: { code: failed.code!, message, remedy: failed.remedy! } };
  }
  const reason = { code, message: `${library} is used. ${chosen.reason}`, remedy };
  return { status: degraded || verdict === "refused" ? "degraded" : "ok", reason };
}

/** Nothing passed, or an override names what the checks refuse. */
function failureOf(tried: readonly ProbedLibrary[], { selection: { candidates, usable } }: Choice): Reason {
  const failed = tried[0];
  if (failed)
    return { code: failed.code!, message: `${failed.library} failed: ${failed.reason}`, remedy: failed.remedy! };
  const verdict = candidates.find(({ path }) => path === usable[0]?.path);
  if (verdict)
    return { code: verdict.code, message: `${verdict.library}: ${verdict.reason}`, remedy: verdict.remedy ?? "" };
  return reasonOf("LIBRARY_NOT_FOUND", `No CUDA library can be tried${usable[0] ? `: ${libraryId(usable[0])}` : "."}`);
}
