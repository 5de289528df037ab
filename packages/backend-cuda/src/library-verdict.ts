/** What one library is worth on this machine: exact, compatible, degraded or refused, with a stable code and a sentence. */
import type { Candidate, Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type Capability, runsByJit, runsNatively } from "./capability.js";
import { driverNeeded, isOlder } from "./driver-floor.js";
import { libraryId } from "./library-name.js";
import { compareVersions, formatVersion, type RuntimeVersion, runtimeNames } from "./runtime-version.js";
import { type HostRuntime, isVersion, type SelectableLibrary, type SelectionFacts, type Verdict } from "./selection.js";
import { systemRefusal } from "./system-fit.js";

/** The codes of libraries that are not refused; the others are of the error catalogue. */
export const acceptedCodes = [
  "EXACT",
  "LOWER_MINOR",
  "HIGHER_MINOR",
  "OTHER_MAJOR",
  "NO_HOST",
  "DRIVER_OLDER",
  "PTX_JIT",
] as const;

type Fit = Pick<Candidate, "verdict" | "reason"> & { readonly code: (typeof acceptedCodes)[number] };

export function verdictOf(library: SelectableLibrary, facts: SelectionFacts): Verdict {
  const refusal = library.refusal ?? systemRefusal(library, facts.system) ?? runtimeRefusal(library, facts);
  const name = { library: libraryId(library), version: formatVersion(library.version), path: library.path };
  if (refusal) {
    const { code, message, remedy } = refusal;
    return { ...name, verdict: "refused", code, reason: message, remedy, degraded: false };
  }
  const [fit, weakness] = [fitOf(library, facts.host), weaknessOf(library, facts)];
  if (!weakness) return { ...name, ...fit, degraded: false };
  const reason = `${fit.reason} ${weakness.reason}`;
  return { ...name, verdict: "degraded", code: weakness.code, reason, degraded: true };
}

/** What the driver, the GPUs and the libraries of the process rule out. */
function runtimeRefusal(library: SelectableLibrary, facts: SelectionFacts): Reason | undefined {
  const { runtime = "cuda" } = facts;
  if (library.runtime !== runtime)
    return reasonOf(
      "LIBRARY_WRONG_KIND",
      `It is made for ${runtimeNames[library.runtime]}, and this machine is asked for ${runtimeNames[runtime]}.`,
    );
  return (runtime === "cuda" ? cudaRefusal(library, facts) : undefined) ?? linkageRefusal(library, facts.host);
}

function cudaRefusal(library: SelectableLibrary, { driver, gpus = [], system }: SelectionFacts): Reason | undefined {
  if (!isVersion(driver)) return driver;
  const { version } = library;
  if (version.major > driver.major)
    return reasonOf(
      "CUDA_DRIVER_TOO_OLD",
      `CUDA ${formatVersion(version)} needs ${driverNeeded(version, system.platform)}; this one has CUDA ${formatVersion(driver)}.`,
    );
  const without = gpus.filter((gpu) => !hasCode(library, gpu, driver));
  return without.length > 0 ? noCode(library, without, driver) : undefined;
}

/** Libraries that take their CUDA or ROCm from the process need it there, of the same major. */
function linkageRefusal({ runtime, linkage, version, unmet = [] }: SelectableLibrary, host: HostRuntime | undefined) {
  if (unmet.length > 0) return reasonOf("LIBRARY_DEPENDENCY_MISSING", `It needs ${unmet.join(", ")}.`);
  if (linkage === "static" || !host || host.major === version.major) return undefined;
  return reasonOf(
    "CUDA_VERSION_MISMATCH",
    `It takes ${runtimeNames[runtime]} ${version.major} from the process; ${host.framework} brings ${runtimeNames[runtime]} ${host.major}.`,
  );
}

const hasCode = ({ sass, ptx, version }: SelectableLibrary, gpu: Capability, driver: RuntimeVersion): boolean =>
  runsNatively(sass, gpu) || runsByJit(ptx, gpu, driver, version);

function noCode(library: SelectableLibrary, gpus: readonly Capability[], driver: RuntimeVersion): Reason {
  const names = [...new Set(gpus.map((gpu) => `sm_${gpu.major}${gpu.minor}`))].join(", ");
  const { ptx, version } = library;
  const hasPtx = gpus.every((gpu) => ptx.some((code) => compareVersions(code, gpu) <= 0));
  if (hasPtx && isOlder(driver, version))
    return reasonOf(
      "CUDA_PTX_TOO_NEW",
      `It has PTX but no machine code for ${names}, and this driver (CUDA ${formatVersion(driver)}) cannot compile PTX of CUDA ${formatVersion(version)}.`,
    );
  return reasonOf("CUDA_NO_CODE_FOR_GPU", `It has no code for ${names}.`);
}

/** Why a library that runs is marked degraded. */
function weaknessOf(
  library: SelectableLibrary,
  { driver, gpus = [] }: SelectionFacts,
): Omit<Fit, "verdict"> | undefined {
  if (library.runtime === "rocm" || !isVersion(driver)) return undefined;
  if (needsJit(library, gpus))
    return {
      code: "PTX_JIT",
      reason:
        "The driver compiles its PTX for the GPU at the first start, which is slow, and does so again after its update.",
    };
  if (!isOlder(driver, library.version)) return undefined;
  return {
    code: "DRIVER_OLDER",
    reason: `The driver has CUDA ${formatVersion(driver)}, older than the library: it runs by minor-version compatibility, which the probe checks.`,
  };
}

/** Whether some GPU gets no machine code from it. */
export const needsJit = ({ sass }: SelectableLibrary, gpus: readonly Capability[]): boolean =>
  gpus.some((gpu) => !runsNatively(sass, gpu));

/** How the library's version stands to the host's. */
function fitOf({ runtime, version }: SelectableLibrary, host: HostRuntime | undefined): Fit {
  if (!host)
    return { verdict: "compatible", code: "NO_HOST", reason: "No framework in the process asks for a version." };
  const asks = `${host.major}${host.minor === undefined ? "" : `.${host.minor}`}`;
  const says = `${host.framework} has ${runtimeNames[runtime]} ${asks}`;
  if (version.major !== host.major)
    return { verdict: "compatible", code: "OTHER_MAJOR", reason: `${says}; the library brings its own runtime.` };
  if (host.minor === undefined || version.minor === host.minor)
    return { verdict: "exact", code: "EXACT", reason: `${says}, as the library.` };
  const [code, word] =
    version.minor < host.minor ? (["LOWER_MINOR", "older"] as const) : (["HIGHER_MINOR", "newer"] as const);
  return { verdict: "compatible", code, reason: `${says}; the library is ${word} within the same major.` };
}
