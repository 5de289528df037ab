/**
 * Which native library fits this machine: a pure function of what the libraries say of themselves (their manifest) and of what was
 * found out about the machine. Every library gets a verdict with a stable code; nothing is loaded, guessed or hidden.
 *
 * Libraries link their CUDA runtime statically. So the host framework's CUDA version is a preference, and the hard limits are the
 * driver's CUDA major, code for every GPU, and the C library. Doctor, monitor and loader all ask here.
 */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type LibraryName, libraryFileOf, libraryId } from "./library-name.js";
import { inOrder, type Judged } from "./library-order.js";
import { verdictOf } from "./library-verdict.js";
import { noLibrary } from "./platform-package.js";
import {
  isVersion,
  type SelectableLibrary,
  type Selection,
  type SelectionFacts,
  type SelectionOptions,
} from "./selection.js";

export type {
  HostRuntime,
  Preference,
  SelectableLibrary,
  Selection,
  SelectionFacts,
  SelectionOptions,
  Verdict,
} from "./selection.js";

export function selectLibrary(
  libraries: readonly SelectableLibrary[],
  facts: SelectionFacts,
  { prefer = "host", override }: SelectionOptions = {},
): Selection {
  const judged = libraries.map((library) => ({ library, verdict: verdictOf(library, facts) }));
  const ordered = inOrder(judged, facts, prefer);
  if (override) return overridden(ordered, facts, override);
  const candidates = ordered.map(({ verdict }) => verdict);
  const usable = ordered.filter(({ verdict }) => verdict.verdict !== "refused").map(({ library }) => library);
  return usable.length > 0 ? { candidates, usable } : { candidates, usable, problem: problemOf(ordered, facts) };
}

/** The library named, whatever its verdict, or why there is nothing to try; never another one. */
function overridden(ordered: readonly Judged[], facts: SelectionFacts, override: LibraryName): Selection {
  const isNamed = ({ library }: Judged): boolean => libraryId(library) === libraryId(override);
  const named = ordered.filter(isNamed);
  const candidates = [...named, ...ordered.filter((one) => !isNamed(one))].map(({ verdict }) => verdict);
  const intact = named.find(({ library }) => library.refusal === undefined)?.library;
  if (!intact) return { candidates, usable: [], problem: overrideProblem(ordered, named, override) };
  if (override.runtime === "cuda" && !isVersion(facts.driver)) return { candidates, usable: [], problem: facts.driver };
  return { candidates, usable: [intact] };
}

const overrideProblem = (ordered: readonly Judged[], named: readonly Judged[], override: LibraryName): Reason =>
  named[0]?.library.refusal ??
  overrideMissing(
    ordered.map(({ library }) => library),
    override,
  );

export const overrideMissing = (libraries: readonly LibraryName[], override: LibraryName): Reason =>
  reasonOf(
    "OVERRIDE_NOT_FOUND",
    `The override asks for ${libraryId(override)}, which is not installed. ${thereAre(libraries)}`,
  );

function thereAre(libraries: readonly LibraryName[]): string {
  const ids = [...new Set(libraries.map(libraryId))].sort();
  return ids.length > 0 ? `There are: ${ids.join(", ")}.` : "There is none of any version.";
}

/** One reason for all: what they have in common, or that they differ. */
function problemOf(ordered: readonly Judged[], facts: SelectionFacts): Reason {
  const { runtime = "cuda", driver, system } = facts;
  if (runtime === "cuda" && !isVersion(driver)) return driver;
  const relevant = ordered.filter(({ library }) => library.runtime === runtime);
  if (relevant.length === 0) return noLibrary(runtime, system);
  const verdicts = relevant.map(({ verdict }) => verdict);
  // Refused ones stand newest first: the last is the one that asks for least.
  const { code, reason, remedy = "" } = verdicts.at(-1)!;
  if (verdicts.every((verdict) => verdict.code === code))
    return { code, message: `No library fits. ${reason}${missing(relevant, facts, code)}`, remedy };
  const lines = verdicts.map((verdict) => `  ${verdict.library} (${verdict.code}): ${verdict.reason}`);
  return reasonOf("CUDA_NO_LIBRARY_FITS", `No library fits:\n${lines.join("\n")}`);
}

/** Which library a process would need whose own CUDA none of them can use. */
function missing(
  relevant: readonly Judged[],
  { runtime = "cuda", host, system }: SelectionFacts,
  code: string,
): string {
  if (code !== "CUDA_VERSION_MISMATCH" || host?.minor === undefined) return "";
  const wanted = { runtime, version: { major: host.major, minor: host.minor } };
  const file = libraryFileOf(wanted, system.platform);
  return ` It would take ${libraryId(wanted)} (${file}). ${thereAre(relevant.map(({ library }) => library))}`;
}
