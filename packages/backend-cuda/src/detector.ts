/** What a source is: something to ask, what it found, and which part that plays beside what the others found. */
import type { Source } from "@halfbyte/core";
import type { Framework, MachineFacts } from "./machine-facts.js";
import type { LibraryFiles } from "./runtime-file.js";
import type { ContainerFinding } from "./sources/container.js";
import type { DeviceListFinding } from "./sources/device-list.js";
import type { KernelDriverFinding } from "./sources/kernel-driver.js";
import type { LibcudaFinding } from "./sources/libcuda.js";
import type { LoadedFinding } from "./sources/loaded-libraries.js";
import type { NvidiaSmiFinding } from "./sources/nvidia-smi.js";
import type { NvmlFinding } from "./sources/nvml.js";
import type { PciFinding } from "./sources/pci.js";
import type { SystemFinding } from "./sources/system.js";
import type { ToolkitFinding } from "./sources/toolkit.js";
import type { World } from "./world.js";

/** What each source may have found. */
export interface Findings {
  readonly system: SystemFinding;
  readonly libcuda: LibcudaFinding;
  readonly devices: DeviceListFinding;
  readonly loaded: LoadedFinding;
  readonly onnxruntime: Framework;
  readonly tensorflow: Framework;
  readonly nvml: NvmlFinding;
  readonly kernelDriver: KernelDriverFinding;
  readonly pci: PciFinding;
  readonly nvidiaSmi: NvidiaSmiFinding;
  readonly container: ContainerFinding;
  readonly toolkit: ToolkitFinding;
  readonly linkerCache: LibraryFiles;
  readonly searchPath: LibraryFiles;
}

export type SourceKey = keyof Findings;

/** What was found so far; a source that found nothing, or failed, is absent. */
export type Found = { readonly [K in SourceKey]?: Findings[K] };

/** Why sources failed, wholly or in part. */
export type Troubles = { readonly [K in SourceKey]?: string };

/** The part that a source plays. */
export type Role = Pick<Source, "usedFor"> | Pick<Source, "ignoredBecause">;

export interface AskOptions {
  readonly depth: "quick" | "full";
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

export interface Detector<T> {
  readonly name: string;
  /** quick: reads files and asks libraries of this process. full: starts programs, or reads many files. */
  readonly depth: "quick" | "full";
  /** Undefined when there is nothing. Rejects with why it cannot be asked. */
  find(world: World, options: AskOptions): Promise<T | undefined>;
  /** For people; null when that says nothing. */
  value(found: T): string | null;
  /** Something went wrong although something was found. */
  trouble?(found: T): string | undefined;
  role(found: T | undefined, context: Context): Role;
}

/** Everything that a source's part may depend on. */
export interface Context {
  readonly world: Pick<World, "platform" | "env">;
  readonly found: Found;
  readonly facts: MachineFacts;
}

export const used = (usedFor: string): Role => ({ usedFor });
export const ignored = (ignoredBecause: string): Role => ({ ignoredBecause });
