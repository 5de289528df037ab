/** Which of the libraries that run goes first. */
import { isOlder } from "./driver-floor.js";
import { needsJit } from "./library-verdict.js";
import { compareVersions, type RuntimeVersion } from "./runtime-version.js";
import { isVersion, type Preference, type SelectableLibrary, type SelectionFacts, type Verdict } from "./selection.js";

export interface Judged {
  readonly library: SelectableLibrary;
  readonly verdict: Verdict;
}

/** Machine code before JIT, then what `prefer` wants first, then the nearest to the host, then the newer; equals keep their order. */
export function inOrder(judged: readonly Judged[], facts: SelectionFacts, prefer: Preference): Judged[] {
  const ranked = judged.map((one) => ({ one, rank: rankOf(one, facts, prefer) }));
  return ranked.sort((a, b) => compareRanks(a.rank, b.rank) || newestFirst(a.one, b.one)).map(({ one }) => one);
}

/** Refused ones stand behind all others, by version alone. */
function rankOf({ library, verdict }: Judged, facts: SelectionFacts, prefer: Preference): readonly number[] {
  if (verdict.verdict === "refused") return [1];
  const jit = Number(needsJit(library, facts.gpus ?? []));
  const gamble = prefer === "driver" ? Number(verdict.degraded) : 0;
  return [0, jit, gamble, ...(facts.host ? hostRank(library.version, facts) : driverRank(library.version, facts))];
}

/** Class and distance: exact, highest lower minor, lowest higher minor, other major. */
function hostRank(version: RuntimeVersion, facts: SelectionFacts): [number, number] {
  const { major } = facts.host!;
  if (version.major !== major) return [3, 0];
  const minor = hostMinor(facts);
  if (minor === undefined || version.minor === minor) return [0, 0];
  return version.minor < minor ? [1, minor - version.minor] : [2, version.minor - minor];
}

/** Where the framework's files tell its major only, that of the driver stands for it; of another major any minor will do. */
function hostMinor({ host, driver }: SelectionFacts): number | undefined {
  if (host?.minor !== undefined) return host.minor;
  return isVersion(driver) && driver.major === host?.major ? driver.minor : undefined;
}

/** Nobody asks for a version: what the driver covers, else the one that is least ahead of it. */
function driverRank(version: RuntimeVersion, { driver }: SelectionFacts): [number, number] {
  if (!isVersion(driver) || !isOlder(driver, version)) return [0, 0];
  return [1, version.minor - driver.minor];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((key, i) => key !== b[i]);
  return differing < 0 ? 0 : a[differing]! - b[differing]!;
}

const newestFirst = (a: Judged, b: Judged): number => compareVersions(b.library.version, a.library.version);
