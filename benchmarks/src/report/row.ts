/** The report of a run: what `--json` writes. report.schema.json says the same in JSON Schema. */
import type { Accuracy, Float } from "@halfbyte/core";
import type { FloorKind } from "../floors/kinds.js";
import type { MachineFloor } from "../floors/machine-floors.js";
import type { Timing } from "../measure/clock.js";
import type { Dimensions, SuiteName, Temperature } from "../spec.js";

export interface PeerFigure {
  readonly name: string;
  readonly version: string;
  readonly medianNs: number;
  /** Its time by ours: above 1 we are faster. */
  readonly ratio: number;
  /** Against the float64 product with the peer's own weights; null where it has no result to judge. */
  readonly relativeError: number | null;
}

export interface Unmeasured {
  readonly name: string;
  readonly reason: string;
}

export interface FloorFigure {
  /** A loop of this machine; `cp`: copying the checkpoint; `c-call`: calling a C function that does nothing. */
  readonly kind: FloorKind | "cp" | "c-call";
  readonly medianNs: number;
}

/** A target applied to a row. */
export interface Verdict {
  /** The line of the table of targets. */
  readonly target: string;
  readonly measure: string;
  /** Null: it cannot be said, and `reason` says why. */
  readonly figure: number | null;
  readonly bound: string;
  /** figure / bound; for a bound from above, bound / figure. At least 1 when met. */
  readonly ratio: number | null;
  readonly met: boolean | null;
  readonly reason?: string;
}

export interface Row {
  readonly suite: SuiteName;
  readonly case: string;
  readonly backend: string;
  readonly tier: string;
  /** Kernel and variant that ran, where the suite runs one. */
  readonly variant?: string;
  readonly accuracy: Accuracy | null;
  readonly format: string | null;
  readonly dtype: Float;
  readonly shape: Dimensions;
  readonly threads: number;
  readonly temperature: Temperature;
  /** Where outputs lie: fresh ones from the pool, or the caller's own again. Null where there are none. */
  readonly memory: "pool" | "into" | null;
  /** How all times of the row were taken. Absent: by the wall's clock. */
  readonly timing?: Timing;
  readonly medianNs: number;
  readonly minNs: number;
  readonly runs: number;
  readonly floor: FloorFigure | null;
  /** floor.medianNs / medianNs: 1 is at the floor. */
  readonly ratioToFloor: number | null;
  /** Why the row is not to be believed; null when it is. */
  readonly invalid: string | null;
  readonly otherFloors: readonly FloorFigure[];
  /** RMS(y − r) / RMS(r) against float64, the rounding of y to its dtype included. */
  readonly relativeError: number | null;
  /** The same with activations and output in float32: the error of the computation alone. Null where that is no choice. */
  readonly unroundedError: number | null;
  readonly peers: readonly PeerFigure[];
  readonly notMeasured: readonly Unmeasured[];
  /** The targets that apply, in words; null when none does. */
  readonly target: string | null;
  readonly targetMet: boolean | null;
  readonly verdicts: readonly Verdict[];
}

/** The GPU, or what plays one. */
export interface Adapter {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** It renders on the CPU: its figures say nothing about any GPU. */
  readonly isSoftware: boolean;
  /** Those the device was opened with. */
  readonly features: readonly string[];
  readonly limits: { readonly [limit: string]: number };
  /** The browser, or Node and Dawn, with version. */
  readonly host: string;
}

/** A file as it would be delivered. */
export interface BundleSize {
  readonly what: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  /** The target; gzipBytes stay below. */
  readonly gzipLimit: number;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  /** Null without the loops; `floorsMissing` says why. */
  readonly floors: readonly MachineFloor[] | null;
  readonly floorsMissing: string | null;
  /** Where a GPU was measured. */
  readonly adapter?: Adapter;
}

export interface Failure {
  readonly case: string;
  readonly reason: string;
}

export interface Report {
  readonly machine: Machine;
  readonly versions: { readonly [program: string]: string };
  readonly rows: readonly Row[];
  /** Cases that could not be measured. */
  readonly failures: readonly Failure[];
  readonly bundles?: readonly BundleSize[];
}
