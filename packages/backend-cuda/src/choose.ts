/** The choice for one machine: what an override asks for, else what the selection ranks first. */
import type { Reason } from "@halfbyte/core";
import type { Examination, MachineFacts } from "./machine-facts.js";
import { type Environment, isRefused, type Override, requestedLibrary } from "./override.js";
import type { Runtime } from "./runtime-version.js";
import { selectLibrary } from "./select-library.js";
import type { Preference, SelectableLibrary, Selection, SelectionFacts } from "./selection.js";

export interface ChooseOptions {
  readonly prefer?: Preference;
  /** As a variable would say it: 124. The variables go before it. */
  readonly version?: string;
  /** The number of the GPU to be used. Default: every visible one must be able to run the library. */
  readonly device?: number;
}

export interface Choice {
  readonly selection: Selection;
  readonly override?: Override;
  /** Why nothing is tried. */
  readonly problem?: Reason;
  readonly prefer: Preference;
}

export function choose(
  { facts }: Pick<Examination, "facts">,
  libraries: readonly SelectableLibrary[],
  env: Environment,
  { prefer = "host", version, device }: ChooseOptions = {},
): Choice {
  const override = requestedLibrary(env, libraries, version);
  const asks = override?.asks;
  if (asks && isRefused(asks)) {
    const { candidates } = selectLibrary(libraries, selectionFacts(facts, { device }), { prefer });
    return { selection: { candidates, usable: [], problem: asks }, override, problem: asks, prefer };
  }
  const about = selectionFacts(facts, { device, runtime: asks?.runtime });
  const selection = selectLibrary(libraries, about, { prefer, ...(asks && { override: asks }) });
  const { problem } = selection;
  return { selection, prefer, ...(override && { override }), ...(problem && { problem }) };
}

interface About {
  readonly device?: number | undefined;
  readonly runtime?: Runtime | undefined;
}

/** What of the machine a library is chosen by. The framework's CUDA says nothing about ROCm. */
export function selectionFacts(facts: MachineFacts, { device, runtime = "cuda" }: About = {}): SelectionFacts {
  const { system, driver, host, gpus } = facts;
  const seen = device === undefined ? gpus : gpus?.slice(device, device + 1);
  return {
    runtime,
    system,
    driver,
    ...(host && runtime === "cuda" && { host }),
    ...(seen && { gpus: seen.map(({ capability }) => capability) }),
  };
}
