/** Trying one library on this machine's GPUs, in a process of its own; what passed is remembered for these bytes, driver and GPUs. */
import type { Reason } from "@halfbyte/core";
import { type LoadOptions, tryOut, verifiedLibrary } from "@halfbyte/native";
import { cudaReason } from "./cuda-error.js";
import type { MachineFacts } from "./machine-facts.js";
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";
import type { SelectableLibrary } from "./selection.js";

export interface ProbeLibraryOptions {
  /** The number of the GPU. Default: the first. */
  readonly device?: number | undefined;
  /** Default: 20 seconds. */
  readonly limitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Why the library must not be used here; undefined when it passed. Rejects only when aborted. */
export async function probeLibrary(
  { path }: Pick<SelectableLibrary, "path">,
  facts: MachineFacts,
  options: ProbeLibraryOptions = {},
): Promise<Reason | undefined> {
  const library = verifiedLibrary(path);
  return library.refusal ?? tryOut(library, probeOptions(facts, options));
}

/** How the loader tries libraries on this machine. */
export function probeOptions(facts: MachineFacts, { device, limitMs, signal }: ProbeLibraryOptions): LoadOptions {
  return {
    backend: "cuda",
    machine: machineKey(facts),
    explain: errorMeaning(facts),
    ...(device !== undefined && { device }),
    ...(limitMs !== undefined && { limitMs }),
    ...(signal && { signal }),
  };
}

/** What a pass holds for. Where the GPUs are not known it holds for nothing. */
function machineKey({ driver, kernelDriver, gpus }: MachineFacts): string[] | undefined {
  if (!gpus || gpus.length === 0 || !("major" in driver)) return undefined;
  return [formatVersion(driver), kernelDriver ?? "", ...gpus.map(({ id, name }) => `${name} ${id}`)];
}

/** A number that CUDA gave to a library, as a reason. */
export const errorMeaning =
  (facts: Pick<MachineFacts, "driver">) =>
  (status: number): Reason => {
    const driver = driverOf(facts);
    return cudaReason({ status, call: "The library", ...(driver && { driver }) });
  };

function driverOf({ driver }: Pick<MachineFacts, "driver">): RuntimeVersion | "none" | undefined {
  if ("major" in driver) return driver;
  return driver.code === "CUDA_NO_DRIVER" ? "none" : undefined;
}
