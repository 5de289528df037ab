/** What the page asks of the worker that looks at the adapter. */
import type { Verdict } from "@halfbyte/backend-webgpu";
import type { OpenReport, Reason } from "@halfbyte/core";
import type { Call } from "../calls.js";

export interface AdapterFacts {
  readonly name: string;
  readonly isSoftware: boolean;
  readonly features: readonly string[];
  readonly languageFeatures: readonly string[];
  readonly limits: readonly { readonly name: string; readonly value: number }[];
}

export interface OpenedBackend {
  readonly name: string;
  readonly tier: string;
  readonly report: OpenReport;
}

/** A kernel of an operation and what its self-test found. */
export interface OperationVerdict {
  readonly op: string;
  readonly kernel?: string;
  readonly variant?: string;
  readonly verdict: Verdict;
  readonly reason?: Reason;
  /** Of the sample that variants of one kernel compete with. */
  readonly ns?: number;
}

export interface AdapterReport {
  /** The adapter, or why there is none. */
  readonly adapter: AdapterFacts | Reason;
  /** What an application gets that asks for [webgpu(), cpu()]. */
  readonly chosen: OpenedBackend;
  /** WebGPU, asked for by name. */
  readonly webgpu: OpenedBackend | Reason;
  readonly cpu: OpenedBackend | Reason;
  readonly operations: {
    readonly webgpu: readonly OperationVerdict[];
    readonly cpu: readonly OperationVerdict[];
  };
}

/** What became of a backend of which one kernel was changed on purpose. */
export interface Broken {
  /** What was changed. */
  readonly change: string;
  readonly demoted: NonNullable<OpenReport["selfTest"]["demoted"]>;
  /** When no right kernel was left: why the backend was not opened. */
  readonly refused?: Reason;
}

export interface Timing {
  readonly backend: "webgpu" | "cpu";
  readonly isSoftware: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly kernel: string;
  readonly variant: string;
  /** Median of rounds. */
  readonly ms: number;
  readonly rounds: number;
  readonly gigabytesPerSecond: number;
  /** From the reference kernels, as a part of the largest value. */
  readonly deviation: number;
}

export type Refusal = Pick<Timing, "backend" | "rows" | "columns"> & { readonly reason: Reason };

export type BenchmarkProgress =
  | { readonly doing: string }
  | { readonly paused: boolean }
  | { readonly timing: Timing | Refusal };

export interface AdapterCalls {
  /** Fetches what is fetched; WebGPU is not touched. */
  readonly ready: Call<null, null>;
  readonly report: Call<null, AdapterReport>;
  readonly broken: Call<null, Broken>;
  readonly benchmark: Call<{ readonly sizes: readonly number[] }, null, BenchmarkProgress>;
  /** A tab that is not seen is slowed down by the browser: measuring waits. */
  readonly visibility: Call<{ readonly visible: boolean }, null>;
}
