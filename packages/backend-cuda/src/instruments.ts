/** What a machine and its libraries are looked at with; tests bring their own. */
import type { Reason } from "@halfbyte/core";
import { type Choice, type ChooseOptions, choose } from "./choose.js";
import { examine } from "./examine.js";
import { findLibraries } from "./find-libraries.js";
import type { Examination, ExamineOptions, MachineFacts } from "./machine-facts.js";
import type { Environment } from "./override.js";
import { probeLibrary } from "./probe-library.js";
import type { SelectableLibrary } from "./selection.js";
import type { World } from "./world.js";

export interface Instruments {
  examine(world: World, options?: ExamineOptions): Promise<Examination>;
  findLibraries(world: World): Promise<readonly SelectableLibrary[]>;
  choose(
    examination: Examination,
    libraries: readonly SelectableLibrary[],
    env: Environment,
    options?: ChooseOptions,
  ): Choice;
  /** Why it must not be used. */
  probeLibrary(
    library: SelectableLibrary,
    facts: MachineFacts,
    options: { readonly signal?: AbortSignal },
  ): Promise<Reason | undefined>;
}

export const instruments: Instruments = { examine, findLibraries, choose, probeLibrary };
