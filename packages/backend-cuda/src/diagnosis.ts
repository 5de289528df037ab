/** What `halfbyte doctor` knows, as plain data: it prints this, and `--json` is this. Absent things are null, so that every key is there. */
import type { Candidate, Reason, Source } from "@halfbyte/core";
import type { FitMatrix } from "./fit-matrix.js";
import type { Dependencies } from "./shared-libraries.js";

/** The words for how CUDA stands here, and with which exit code the command says so. */
export const statuses = {
  ok: { exitCode: 0, meaning: "A library fits and passed its probe, if one was asked for." },
  degraded: { exitCode: 0, meaning: "A library works, with a reservation that `code` and `message` name." },
  "cpu-only": {
    exitCode: 0,
    meaning: "CUDA cannot be used, and nobody asked for it: no NVIDIA GPU, no override, no option.",
  },
  unusable: { exitCode: 1, meaning: "CUDA is asked for, or a GPU is present, and it cannot be used." },
  "override-invalid": { exitCode: 3, meaning: "The override names no version, or a library that is not installed." },
} as const satisfies Record<string, { readonly exitCode: number; readonly meaning: string }>;

export type Status = keyof typeof statuses;

export interface Diagnosis {
  readonly status: Status;
  /** Of the catalogue of errors, or how the chosen library fits: EXACT, LOWER_MINOR, DRIVER_OLDER … */
  readonly code: string;
  /** The same as a sentence. */
  readonly message: string;
  /** Who asked for CUDA; null: nobody. */
  readonly askedBy: string | null;
  readonly system: {
    readonly platform: string;
    readonly arch: string;
    readonly kind: string;
    readonly libc: string;
    readonly node: string;
  };
  /** Versions as they were found; null where there is none. */
  readonly versions: {
    /** CUDA of the driver, by libcuda. */
    readonly driver: string | null;
    readonly kernelDriver: string | null;
    /** CUDA of the framework that counts. */
    readonly host: string | null;
    /** CUDA that the container's image was built with. */
    readonly container: string | null;
  };
  readonly override: {
    readonly variable: string;
    readonly value: string;
    /** Null: the value means none. */
    readonly library: string | null;
    /** The other variable, when both are set. */
    readonly ignored: string | null;
  } | null;
  readonly sources: readonly ExaminedSource[];
  readonly devices: readonly {
    readonly id: string;
    readonly name: string;
    readonly capability: string;
    readonly memoryBytes: number | null;
  }[];
  readonly frameworks: readonly {
    readonly name: string;
    readonly version: string;
    readonly cuda: string | null;
    readonly toldBy: string;
    readonly loaded: boolean;
  }[];
  readonly toolkits: readonly { readonly path: string; readonly version: string | null }[];
  /** CUDA runtimes on disk and in the process; more than one version of them is worth knowing. */
  readonly runtimes: {
    readonly files: readonly { readonly path: string; readonly version: string | null; readonly loaded: boolean }[];
    readonly duplicate: boolean;
  };
  readonly candidates: readonly ExaminedCandidate[];
  readonly matrix: FitMatrix;
  readonly dependencies: readonly (Dependencies & { readonly library: string })[];
  readonly chosen: Pick<ExaminedCandidate, "library" | "version" | "verdict" | "code" | "reason" | "path"> | null;
  readonly degraded: boolean;
  readonly probe: {
    /** In the order in which they were tried; the last one passed, or none did. */
    readonly tried: readonly ProbedLibrary[];
    readonly notRunBecause: string | null;
  };
  /** What runs instead, and why; null where CUDA does. Whether the CPU backend can run is not looked at here. */
  readonly fallback: ({ readonly backend: string } & Reason) | null;
  /** The one thing to do next; there is always a sentence. */
  readonly remedy: string;
  /** The same as a command to paste; null where no command does it. */
  readonly command: string | null;
}

export interface ExaminedSource {
  readonly name: string;
  readonly value: Source["value"];
  readonly usedFor: string | null;
  readonly ignoredBecause: string | null;
  readonly ms: number;
  readonly error: string | null;
}

export interface ExaminedCandidate extends Omit<Candidate, "remedy"> {
  readonly remedy: string | null;
  readonly path: string;
  readonly degraded: boolean;
}

export interface ProbedLibrary {
  readonly library: string;
  readonly path: string;
  readonly passed: boolean;
  readonly ms: number;
  /** Why it did not pass, and what to do. */
  readonly code: string | null;
  readonly reason: string | null;
  readonly remedy: string | null;
}
