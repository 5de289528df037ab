/**
 * What is here against each library, one fact at a time: where selectLibrary() gives one verdict, this shows which fact it comes from.
 * A library is refused there exactly when some row refuses it here; a test holds both together.
 */
import type { Candidate } from "@halfbyte/core";
import { type Capability, runsByJit, runsNatively } from "./capability.js";
import { isOlder } from "./driver-floor.js";
import { libraryId } from "./library-name.js";
import type { Gpu, MachineFacts } from "./machine-facts.js";
import { formatVersion, sameVersion } from "./runtime-version.js";
import { isVersion, type SelectableLibrary } from "./selection.js";
import { systemRefusal } from "./system-fit.js";

export type Fit = Candidate["verdict"];

export interface FitMatrix {
  /** One column for each. */
  readonly libraries: readonly string[];
  readonly rows: readonly FitRow[];
}

export interface FitRow {
  readonly what: string;
  readonly fits: readonly Fit[];
}

type Judge = (library: SelectableLibrary) => Fit;

/** `verdicts` are those of the libraries, in their order: the last row. */
export function fitMatrix(
  libraries: readonly SelectableLibrary[],
  verdicts: readonly Fit[],
  facts: MachineFacts,
): FitMatrix {
  const rows = judges(facts).map(([what, judge]) => ({ what, fits: libraries.map(judge) }));
  return { libraries: libraries.map(libraryId), rows: [...rows, { what: "all together", fits: verdicts }] };
}

function judges(facts: MachineFacts): (readonly [string, Judge])[] {
  const { system, driver, gpus = [] } = facts;
  return [
    [systemName(facts), (library) => refusedIf(systemRefusal(library, system) !== undefined)],
    ["its file and manifest", ({ refusal }) => refusedIf(refusal !== undefined)],
    ["its dependencies", ({ unmet = [] }) => refusedIf(unmet.length > 0)],
    [driverName(facts), (library) => driverFit(library, driver)],
    ...distinctGpus(gpus).map((gpu) => judged(gpuName(gpu), (library) => gpuFit(library, gpu.capability, driver))),
    ...askersOf(facts).map((asker) => judged(askerName(asker), (library) => askerFit(library, asker))),
  ];
}

const judged = (what: string, judge: Judge): readonly [string, Judge] => [what, judge];

const refusedIf = (refused: boolean): Fit => (refused ? "refused" : "compatible");

/** A library of ROCm has nothing to do with NVIDIA's driver. */
function driverFit({ runtime, version }: SelectableLibrary, driver: MachineFacts["driver"]): Fit {
  if (runtime === "rocm" || !isVersion(driver) || version.major > driver.major) return "refused";
  if (isOlder(driver, version)) return "degraded";
  return sameVersion(driver, version) ? "exact" : "compatible";
}

function gpuFit({ sass, ptx, version }: SelectableLibrary, gpu: Capability, driver: MachineFacts["driver"]): Fit {
  if (runsNatively(sass, gpu)) return sass.some((code) => sameVersion(code, gpu)) ? "exact" : "compatible";
  return isVersion(driver) && runsByJit(ptx, gpu, driver, version) ? "degraded" : "refused";
}

/** Who has a CUDA version of its own. */
interface Asker {
  readonly name: string;
  readonly major: number;
  readonly minor?: number;
  /** Its version is the one that counts: a dynamically linked library would share its CUDA. */
  readonly counts: boolean;
}

function askersOf({ frameworks, host }: MachineFacts): Asker[] {
  const first = host ? [{ ...host, name: host.framework, counts: true }] : [];
  const others = frameworks.filter(({ name }) => name !== host?.framework);
  return [...first, ...others.flatMap(({ name, cuda }) => (cuda ? [{ ...cuda, name, counts: false }] : []))];
}

function askerFit({ version, linkage }: SelectableLibrary, { major, minor, counts }: Asker): Fit {
  if (version.major !== major) return linkage === "dynamic" && counts ? "refused" : "compatible";
  return minor === undefined || minor === version.minor ? "exact" : "compatible";
}

/** One row for all GPUs of a capability. */
const distinctGpus = (gpus: readonly Gpu[]): Gpu[] => [
  ...new Map(gpus.map((gpu) => [formatVersion(gpu.capability), gpu])).values(),
];

function systemName({ system: { platform, arch, libc } }: MachineFacts): string {
  return [`${platform} ${arch}`, ...(libc.kind === "none" ? [] : [`${libc.kind} ${libc.version ?? ""}`.trim()])].join(
    ", ",
  );
}

const driverName = ({ driver }: MachineFacts): string =>
  isVersion(driver) ? `driver, CUDA ${formatVersion(driver)}` : "driver: none usable";

const gpuName = ({ name, capability }: Gpu): string => `GPU ${formatVersion(capability)} (${name})`;

const askerName = ({ name, major, minor }: Asker): string =>
  `${name}, CUDA ${major}${minor === undefined ? "" : `.${minor}`}`;
