/**
 * Which native library fits this machine: a pure function of what the libraries say of themselves (their manifest) and of what was
 * found out about the machine. Every library gets a verdict with a stable code; nothing is loaded, guessed or hidden.
 *
 * Libraries link their CUDA runtime statically. So the host framework's CUDA version is a preference, and the hard limits are the
 * driver's CUDA major, code for every GPU, and the C library. Doctor, monitor and loader all ask here.
 */
import type { Candidate, Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type Capability, runsByJit, runsNatively } from "./capability.js";
import { driverNeeded, isOlder } from "./driver-floor.js";
import { type LibraryName, libraryId } from "./library-name.js";
import { compareVersions, formatVersion, type RuntimeVersion, sameVersion } from "./runtime-version.js";
import { type SystemFacts, systemRefusal } from "./system-fit.js";

/** A library as its manifest describes it. */
export interface SelectableLibrary extends LibraryName {
  readonly path: string;
  /** Machine code and PTX in it. */
  readonly sass: readonly Capability[];
  readonly ptx: readonly Capability[];
  /** Whether its CUDA libraries are part of it, or those of the process. */
  readonly linkage: "static" | "dynamic";
  readonly platform: string;
  readonly arch: string;
  /** Absent: it needs no glibc. */
  readonly glibc?: string;
  /** Shared libraries that it needs and that are missing here, or loaded already in another major. */
  readonly unmet?: readonly string[];
  /** What its file showed already: another hash than the manifest's, another ABI, a place where others can write. */
  readonly refusal?: Reason;
}

/** The CUDA of the framework that shares the process; onnxruntime's files tell its major only. */
export interface HostRuntime {
  readonly framework: string;
  readonly major: number;
  readonly minor?: number;
}

export interface SelectionFacts {
  readonly system: SystemFacts;
  /** The CUDA version that libcuda reports, or why CUDA cannot be used at all. */
  readonly driver: RuntimeVersion | Reason;
  readonly host?: HostRuntime;
  /** Capabilities of the visible GPUs. Absent: nobody asked yet, so nothing is refused for lack of code. */
  readonly gpus?: readonly Capability[];
}

/** host (default): as bitsandbytes chooses. driver: nothing newer than the driver, while there is a choice. */
export type Preference = "host" | "driver";

export interface SelectionOptions {
  readonly prefer?: Preference;
  /** This library and no other; its verdict is still told. */
  readonly override?: LibraryName;
}

export interface Verdict extends Candidate {
  readonly path: string;
  /** Works, and may disappoint: the driver is older than the library, or must compile it first. */
  readonly degraded: boolean;
}

export interface Selection {
  /** Every library, those that are tried first, in that order. */
  readonly candidates: readonly Verdict[];
  /** What is tried, best first. */
  readonly usable: readonly SelectableLibrary[];
  /** Why nothing is tried. */
  readonly problem?: Reason;
}

export function selectLibrary(
  libraries: readonly SelectableLibrary[],
  facts: SelectionFacts,
  { prefer = "host", override }: SelectionOptions = {},
): Selection {
  const judged = libraries.map((library) => judge(library, facts));
  const order = compareJudged(facts, prefer);
  const usable = judged.filter(({ verdict }) => verdict.verdict !== "refused").sort(order);
  const refused = judged.filter(({ verdict }) => verdict.verdict === "refused").sort(newestFirst);
  const candidates = [...usable, ...refused].map(({ verdict }) => verdict);
  if (override) return { candidates, ...overridden(libraries, override) };
  const problem = usable.length === 0 ? problemOf(candidates, facts) : undefined;
  return { candidates, usable: usable.map(({ library }) => library), ...(problem && { problem }) };
}

interface Judged {
  readonly library: SelectableLibrary;
  readonly verdict: Verdict;
}

const isVersion = (driver: SelectionFacts["driver"]): driver is RuntimeVersion => "major" in driver;

function judge(library: SelectableLibrary, facts: SelectionFacts): Judged {
  const refusal = library.refusal ?? systemRefusal(library, facts.system) ?? runtimeRefusal(library, facts);
  const name = { library: libraryId(library), version: formatVersion(library.version), path: library.path };
  if (refusal) {
    const { code, message, remedy } = refusal;
    return { library, verdict: { ...name, verdict: "refused", code, reason: message, remedy, degraded: false } };
  }
  const [fit, weakness] = [fitOf(library, facts.host), weaknessOf(library, facts)];
  if (!weakness) return { library, verdict: { ...name, ...fit, degraded: false } };
  const reason = `${fit.reason} ${weakness.reason}`;
  return { library, verdict: { ...name, verdict: "degraded", code: weakness.code, reason, degraded: true } };
}

/** What the driver, the GPUs and the libraries of the process rule out. */
function runtimeRefusal(library: SelectableLibrary, { driver, gpus = [], host, system }: SelectionFacts) {
  if (library.runtime === "rocm") return otherMajorRefusal(library, host);
  if (!isVersion(driver)) return driver;
  const { version } = library;
  if (version.major > driver.major)
    return reasonOf(
      "CUDA_DRIVER_TOO_OLD",
      `CUDA ${formatVersion(version)} needs ${driverNeeded(version, system.platform)}; this one has CUDA ${formatVersion(driver)}.`,
    );
  const without = gpus.filter((gpu) => !hasCode(library, gpu, driver));
  if (without.length > 0) return noCode(library, without, driver);
  if (library.unmet && library.unmet.length > 0)
    return reasonOf("LIBRARY_DEPENDENCY_MISSING", `It needs ${library.unmet.join(", ")}.`);
  return otherMajorRefusal(library, host);
}

/** Libraries that take their CUDA or ROCm from the process must be of the process's major. */
function otherMajorRefusal({ linkage, version }: SelectableLibrary, host: HostRuntime | undefined): Reason | undefined {
  if (linkage === "static" || !host || host.major === version.major) return undefined;
  return reasonOf(
    "CUDA_VERSION_MISMATCH",
    `It links its runtime dynamically and is of major ${version.major}; ${host.framework} brings major ${host.major}.`,
  );
}

const hasCode = ({ sass, ptx, version }: SelectableLibrary, gpu: Capability, driver: RuntimeVersion): boolean =>
  runsNatively(sass, gpu) || runsByJit(ptx, gpu, driver, version);

function noCode(library: SelectableLibrary, gpus: readonly Capability[], driver: RuntimeVersion): Reason {
  const names = [...new Set(gpus.map((gpu) => `sm_${gpu.major}${gpu.minor}`))].join(", ");
  const couldCompile = library.ptx.some((code) => gpus.some((gpu) => compareVersions(code, gpu) <= 0));
  if (couldCompile && isOlder(driver, library.version))
    return reasonOf(
      "CUDA_PTX_TOO_NEW",
      `It has PTX but no machine code for ${names}, and this driver (CUDA ${formatVersion(driver)}) cannot compile PTX of CUDA ${formatVersion(library.version)}.`,
    );
  return reasonOf("CUDA_NO_CODE_FOR_GPU", `It has no code for ${names}.`);
}

/** Why a library that runs is marked degraded. */
function weaknessOf(library: SelectableLibrary, { driver, gpus = [] }: SelectionFacts) {
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

const needsJit = ({ sass }: SelectableLibrary, gpus: readonly Capability[]): boolean =>
  gpus.some((gpu) => !runsNatively(sass, gpu));

type Fit = Pick<Candidate, "verdict" | "code" | "reason">;

/** How the library's version stands to the host's. */
function fitOf({ version }: SelectableLibrary, host: HostRuntime | undefined): Fit {
  if (!host)
    return { verdict: "compatible", code: "NO_HOST", reason: "No framework in the process asks for a version." };
  const says = `${host.framework} has CUDA ${host.major}${host.minor === undefined ? "" : `.${host.minor}`}`;
  if (version.major !== host.major)
    return { verdict: "compatible", code: "OTHER_MAJOR", reason: `${says}; the library brings its own runtime.` };
  if (host.minor === undefined || version.minor === host.minor)
    return { verdict: "exact", code: "EXACT", reason: `${says}, as the library.` };
  const side = version.minor < host.minor ? "LOWER" : "HIGHER";
  const word = side === "LOWER" ? "older" : "newer";
  return {
    verdict: "compatible",
    code: `${side}_MINOR`,
    reason: `${says}; the library is ${word} within the same major.`,
  };
}

/** Native before JIT, then what `prefer` wants first, then the higher version; equals keep their order. */
function compareJudged(facts: SelectionFacts, prefer: Preference) {
  const keys = ({ library, verdict }: Judged): number[] => {
    const jit = Number(needsJit(library, facts.gpus ?? []));
    const clean = prefer === "driver" ? Number(verdict.degraded) : 0;
    return [jit, clean, ...hostRank(library.version, facts)];
  };
  return (a: Judged, b: Judged): number => {
    const [left, right] = [keys(a), keys(b)];
    const differing = left.findIndex((key, i) => key !== right[i]);
    return differing < 0 ? newestFirst(a, b) : left[differing]! - right[differing]!;
  };
}

const newestFirst = (a: Judged, b: Judged): number => compareVersions(b.library.version, a.library.version);

/** Class and distance: exact, highest lower minor, lowest higher minor, other major; without a host, highest not above the driver. */
function hostRank(version: RuntimeVersion, { host, driver }: SelectionFacts): [number, number] {
  const known = isVersion(driver) ? driver : undefined;
  if (!host) return known && isOlder(known, version) ? [1, distance(known, version)] : [0, 0];
  if (version.major !== host.major) return [3, 0];
  const minor = host.minor ?? (known?.major === host.major ? known.minor : undefined);
  if (minor === undefined || version.minor === minor) return [0, 0];
  return version.minor < minor ? [1, minor - version.minor] : [2, version.minor - minor];
}

/** For sorting versions above another: the nearest first. */
const distance = (from: RuntimeVersion, to: RuntimeVersion): number =>
  1000 * (to.major - from.major) + to.minor - from.minor;

/** No fallback: the library named, or an error that says which there are. */
function overridden(
  libraries: readonly SelectableLibrary[],
  override: LibraryName,
): Pick<Selection, "usable" | "problem"> {
  const named = libraries.filter(
    ({ runtime, version }) => runtime === override.runtime && sameVersion(version, override.version),
  );
  const usable = named.filter(({ refusal }) => refusal === undefined).slice(0, 1);
  if (usable.length > 0) return { usable };
  const problem = named[0]?.refusal ?? overrideMissing(libraries, override);
  return { usable, problem };
}

export function overrideMissing(libraries: readonly LibraryName[], override: LibraryName): Reason {
  const ids = [...new Set(libraries.map(libraryId))].sort();
  const there = ids.length > 0 ? `There are: ${ids.join(", ")}.` : "There is none of any version.";
  return reasonOf(
    "OVERRIDE_NOT_FOUND",
    `The override asks for ${libraryId(override)}, which is not installed. ${there}`,
  );
}

/** One reason for all: what they have in common, or that they differ. */
function problemOf(candidates: readonly Verdict[], { driver }: SelectionFacts): Reason {
  if (!isVersion(driver)) return driver;
  if (candidates.length === 0) return reasonOf("LIBRARY_NOT_FOUND", "No CUDA library is installed for this platform.");
  const codes = new Set(candidates.map(({ code }) => code));
  const { code, reason: message, remedy = "" } = candidates.at(-1)!;
  if (codes.size === 1) return { code, message: `No library fits. ${message}`, remedy };
  const lines = candidates.map(({ library, code: why, reason }) => `  ${library} (${why}): ${reason}`);
  return reasonOf("CUDA_NO_LIBRARY_FITS", `No library fits:\n${lines.join("\n")}`);
}
