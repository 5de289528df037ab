/** What decides which CUDA library a process gets, at one moment. Two of them are compared by compatibilityChanges(). */
import type { Candidate, Reason } from "@halfbyte/core";
import type { GpuReading } from "./gpu-reading.js";
import { libraryId } from "./library-name.js";
import type { LibraryState } from "./library-states.js";
import type { Framework, MachineFacts } from "./machine-facts.js";
import type { Override } from "./override.js";
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";
import type { Selection } from "./select-library.js";

/** The library that a process started now would try first. */
export interface ChosenLibrary extends Pick<Candidate, "library" | "version" | "verdict" | "code" | "reason"> {
  readonly path: string;
  readonly degraded: boolean;
  /** An environment variable asked for it. */
  readonly overridden: boolean;
}

export interface Compatibility {
  /** The driver's CUDA version, or why CUDA cannot be used. */
  readonly driver: RuntimeVersion | Reason;
  readonly kernelDriver?: string;
  /** Whether there is NVIDIA hardware; absent when nothing tells. */
  readonly hardware?: boolean;
  /** Absent when nothing on this machine can tell. */
  readonly gpus?: readonly Pick<GpuReading, "id" | "name" | "lost">[];
  readonly frameworks: readonly Pick<Framework, "name" | "version" | "cuda">[];
  readonly libraries: readonly LibraryState[];
  /** Files mapped into this process that are no longer what lies at their path. */
  readonly replacedFiles: readonly string[];
  readonly selection: ChosenLibrary | Reason;
}

/** What choose() says, as far as it matters here. */
export interface MadeChoice {
  readonly selection: Selection;
  readonly override?: Override;
  readonly problem?: Reason;
}

export const isChosen = (selection: Compatibility["selection"]): selection is ChosenLibrary => "library" in selection;

export function compatibilityOf(
  facts: MachineFacts,
  seen: Pick<Compatibility, "gpus" | "libraries" | "replacedFiles">,
  choice: MadeChoice,
): Compatibility {
  const frameworks = facts.frameworks.map(({ name, version, cuda }) => ({ name, version, ...(cuda && { cuda }) }));
  const { driver, kernelDriver, hardware } = facts;
  return {
    driver,
    ...(kernelDriver !== undefined && { kernelDriver }),
    ...(hardware !== undefined && { hardware }),
    ...seen,
    frameworks,
    selection: selectionOf(choice),
  };
}

function selectionOf({ selection, override, problem }: MadeChoice): Compatibility["selection"] {
  const [first] = selection.usable;
  if (problem) return problem;
  if (!first) return selection.problem!;
  const verdict = selection.candidates.find(({ path }) => path === first.path)!;
  const { code, reason, degraded } = verdict;
  const name = { library: libraryId(first), version: formatVersion(first.version), path: first.path };
  return { ...name, verdict: verdict.verdict, code, reason, degraded, overridden: override !== undefined };
}
