/** One case made ready: what of ours is timed, beside which floor and which peers. */
import type { Backend } from "@halfbyte/core";
import type { FloorRequest, FloorSource } from "./floors/floor.js";
import type { Clock, Timing } from "./measure/clock.js";
import type { Subject } from "./measure/subject.js";
import type { PeerFamily } from "./peers/families.js";
import type { PeerSet } from "./peers/peer-set.js";
import type { FloorFigure, PeerFigure, Row, Unmeasured } from "./report/row.js";
import type { Spec } from "./spec.js";

export interface Settings {
  /** Turns of the interleaving. */
  readonly rounds: number;
  readonly peers: readonly PeerFamily[];
}

/** What cases of one process share. */
export interface Bench extends Settings {
  readonly backend: Backend;
  readonly threads: number;
  /** Or why there are none. */
  readonly floors: FloorSource | string;
  /** Each case is measured by every clock; the first is the wall's. */
  readonly clocks: readonly Clock[];
  readonly peerSet: PeerSet;
}

export interface PeerRun {
  readonly subject: Subject;
  readonly relativeError: number | null;
  /** It runs elsewhere: only the wall's clock sees it. */
  readonly isElsewhere?: boolean;
  dispose(): void | Promise<void>;
}

/** A peer that may run a case. */
export interface Candidate {
  readonly family: PeerFamily;
  readonly name: string;
  /** Rejects with the reason why it cannot. */
  prepare(): Promise<PeerRun & { readonly version: string }>;
}

export interface Own {
  readonly memory: Row["memory"];
  readonly subject: Subject;
}

export interface Prepared {
  readonly ours: readonly Own[];
  readonly floor: FloorRequest;
  readonly otherFloors: readonly FloorRequest[];
  readonly candidates: readonly Candidate[];
  /** Peers that are in memory together. Default: all. */
  readonly peersAtOnce?: number;
  readonly relativeError: number | null;
  readonly unroundedError?: number;
  readonly accuracy: Row["accuracy"];
  /** Kernel and variant that run. */
  readonly variant?: string;
  dispose(): void;
}

/** What was found out about a case: times in nanoseconds, figures about the rest. */
export interface Measurement {
  readonly ours: readonly { readonly memory: Row["memory"]; readonly times: readonly number[] }[];
  readonly floor: FloorFigure | null;
  readonly otherFloors: readonly FloorFigure[];
  readonly peers: readonly Omit<PeerFigure, "ratio">[];
  readonly notMeasured: readonly Unmeasured[];
  readonly relativeError: number | null;
  readonly unroundedError?: number;
  readonly accuracy: Row["accuracy"];
  readonly variant?: string;
  /** Default: the wall's clock. */
  readonly timing?: Timing;
  /** Where it is not the backend's. */
  readonly tier?: string;
}

/** A suite makes its cases ready, to be interleaved with floor and peers; or it measures them in its own way. */
export type Suite =
  | { readonly prepare: (spec: Spec, bench: Bench) => Promise<Prepared> }
  | { readonly measure: (spec: Spec, bench: Bench) => Promise<Measurement> };
