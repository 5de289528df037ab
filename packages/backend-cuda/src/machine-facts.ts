/** What was found out about this machine, ready to choose a library by. examine() makes it from the sources. */
import type { Reason, Source } from "@halfbyte/core";
import type { Capability } from "./capability.js";
import type { RuntimeVersion } from "./runtime-version.js";
import type { HostRuntime } from "./select-library.js";
import type { SystemFacts } from "./system-fit.js";

export interface Gpu {
  /** UUID where the driver tells it, else its index. */
  readonly id: string;
  readonly name: string;
  readonly capability: Capability;
  readonly memoryBytes?: number;
}

/** A framework of the application that brings a CUDA of its own. */
export interface Framework {
  /** As npm calls it. */
  readonly name: string;
  readonly version: string;
  /** Its files may tell the major only. */
  readonly cuda?: { readonly major: number; readonly minor?: number };
  /** The file that told, or why none did. */
  readonly toldBy: string;
  /** Whether its CUDA libraries are in this process already. */
  readonly loaded: boolean;
  /** The application does not name it itself: a package in the package manager's store brought it. */
  readonly indirect?: boolean;
}

export interface Toolkit {
  readonly path: string;
  readonly version?: RuntimeVersion;
}

/** A CUDA runtime on disk or in the process. */
export interface RuntimeFile {
  readonly path: string;
  /** libcudart.so.11.0 may be any 11.x: then the minor is absent. */
  readonly version?: { readonly major: number; readonly minor?: number };
  readonly loaded: boolean;
}

export interface MachineFacts {
  readonly system: SystemFacts & {
    readonly kind: "bare metal" | "container" | "wsl2" | "jetson";
    readonly node: string;
  };
  /** The CUDA version that libcuda reports, or why CUDA cannot be used. */
  readonly driver: RuntimeVersion | Reason;
  /** The libcuda that said so. */
  readonly libcuda?: string;
  /** Such as 535.54.03. */
  readonly kernelDriver?: string;
  /** Whether there is NVIDIA hardware, whatever the driver says; undefined when nothing tells. */
  readonly hardware?: boolean;
  /** Absent when nobody asked: depth quick does not start the driver. */
  readonly gpus?: readonly Gpu[];
  /** The framework whose version counts. */
  readonly host?: HostRuntime;
  readonly frameworks: readonly Framework[];
  /** What the image was built with; says nothing of the host. */
  readonly containerCuda?: RuntimeVersion;
  readonly toolkits: readonly Toolkit[];
  readonly runtimes: readonly RuntimeFile[];
}

export interface Examination {
  /** Every source that was asked, in order of trust. */
  readonly sources: readonly Source[];
  readonly facts: MachineFacts;
}

export interface ExamineOptions {
  /** quick (default): files and libcuda's version, in this process. full: starts programs and the driver, in children. */
  readonly depth?: "quick" | "full";
  readonly signal?: AbortSignal;
  /** How long a source may take; what it has not said by then is its error. Default: 3 seconds. */
  readonly limitMs?: number;
}
