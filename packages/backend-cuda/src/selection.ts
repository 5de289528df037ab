/** The words of choosing a library: what is chosen from, by which facts, and how the choice is told. */
import type { Candidate, Reason } from "@halfbyte/core";
import type { Capability } from "./capability.js";
import type { LibraryName } from "./library-name.js";
import type { Runtime, RuntimeVersion } from "./runtime-version.js";
import type { SystemFacts } from "./system-fit.js";

/** A library as its manifest describes it. */
export interface SelectableLibrary extends LibraryName {
  readonly path: string;
  /** As the manifest says; its bytes are compared with it before it is loaded. */
  readonly sha256?: string;
  /** Machine code and PTX in it. */
  readonly sass: readonly Capability[];
  readonly ptx: readonly Capability[];
  /** Whether its CUDA libraries are part of it, or those of the process. */
  readonly linkage: "static" | "dynamic";
  readonly platform: string;
  readonly arch: string;
  /** Absent: it needs no glibc. */
  readonly glibc?: string;
  /** Names of the shared libraries it is linked against. */
  readonly needs?: readonly string[];
  /** Shared libraries that it needs and that are missing here, or loaded already in another major. */
  readonly unmet?: readonly string[];
  /** What its file showed already: an unusable manifest, another ABI, a place where others can write. */
  readonly refusal?: Reason;
}

/** The CUDA of the framework that shares the process; onnxruntime's files tell its major only. */
export interface HostRuntime {
  readonly framework: string;
  readonly major: number;
  readonly minor?: number;
}

export interface SelectionFacts {
  /** Whose versions these are, and whose libraries are chosen from. Default: cuda. Of ROCm only the host's version counts. */
  readonly runtime?: Runtime;
  readonly system: SystemFacts;
  /** The CUDA version that libcuda reports, or why CUDA cannot be used at all. */
  readonly driver: RuntimeVersion | Reason;
  readonly host?: HostRuntime;
  /** Capabilities of the visible GPUs. Absent: nobody asked yet, so nothing is refused for lack of code. */
  readonly gpus?: readonly Capability[];
}

/** host (default): as bitsandbytes chooses. driver: nothing newer than the driver, while there is a choice. */
export type Preference = "host" | "driver";

export interface SelectionOptions {
  readonly prefer?: Preference;
  /** This library and no other; its verdict is still told. */
  readonly override?: LibraryName;
}

export interface Verdict extends Candidate {
  readonly path: string;
  /** Works, and may disappoint: the driver is older than the library, or must compile it first. */
  readonly degraded: boolean;
}

export interface Selection {
  /** Every library, those that are tried first, in that order. */
  readonly candidates: readonly Verdict[];
  /** What is tried, best first. */
  readonly usable: readonly SelectableLibrary[];
  /** Why nothing is tried. */
  readonly problem?: Reason;
}

export const isVersion = (driver: SelectionFacts["driver"]): driver is RuntimeVersion => "major" in driver;
