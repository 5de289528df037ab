/** Fixes that name another library, by the variable that forces one or without it. */

import { updateDriver } from "./driver-fix.js";
import { driverShippedWith } from "./driver-floor.js";
import { isRefused, type Override } from "./override.js";
import { formatVersion, parseVersion } from "./runtime-version.js";
import type { Verdict } from "./selection.js";
import { setVariable, unsetVariable } from "./shell-command.js";
import type { Fix, Situation } from "./suggested-fix.js";

const usable = ({ verdict }: Verdict): boolean => verdict !== "refused";

/** The digits of cuda124. */
const digits = ({ library }: Verdict): string => library.replace(/^\D+/, "");

const variableOf = ({ library }: Verdict): string => `HALFBYTE_${library.replace(/\d+$/, "").toUpperCase()}_VERSION`;

const platformOf = ({ facts }: Situation): string => facts.system.platform;

export function anotherOverride(situation: Situation): Fix | undefined {
  if (!situation.override) return undefined;
  const [platform, { variable, asks }] = [platformOf(situation), situation.override];
  const best = situation.candidates.find((candidate) => usable(candidate) && isFor(variable, candidate));
  if (best)
    return {
      remedy: `Ask for a library that is installed: ${best.library} fits this machine best. Or unset ${variable}, which chooses it too.`,
      command: setVariable(platform, variable, digits(best)),
    };
  const build =
    isRefused(asks) || asks.runtime !== "cuda"
      ? ""
      : `, or build it: \`halfbyte libs build ${formatVersion(asks.version)}\``;
  return {
    remedy: `No library that fits this machine is installed. Unset ${variable}${build}.`,
    command: unsetVariable(platform, variable),
  };
}

/** HALFBYTE_CUDA_VERSION and BNB_CUDA_VERSION speak of libraries such as cuda124. */
const isFor = (variable: string, { library }: Verdict): boolean =>
  variable.toLowerCase().includes(`_${library.replace(/\d+$/, "")}_`);

/** An override that leads nowhere, while something else would do. */
export function withoutOverride(situation: Situation, { variable }: Override): Fix | undefined {
  const best = situation.candidates.find(
    (candidate) => usable(candidate) && !situation.failed.includes(candidate.library),
  );
  if (!best || best.code === situation.reason.code) return undefined;
  return {
    remedy: `Unset ${variable}: without it, ${best.library} is used here.`,
    command: unsetVariable(platformOf(situation), variable),
  };
}

/** Something else than what failed. */
export function anotherLibrary(situation: Situation): Fix | undefined {
  const { candidates, failed, reason } = situation;
  const works = candidates.find((candidate) => usable(candidate) && !failed.includes(candidate.library));
  if (failed.length === 0 || !works) return undefined;
  return {
    remedy: `${works.library} is used instead of ${failed.join(", ")}; say so to have it without trying. ${reason.remedy}`,
    command: setVariable(platformOf(situation), variableOf(works), digits(works)),
  };
}

/** For who must not gamble on a driver that is older than the library. */
export function notNewerThanDriver(situation: Situation): Fix {
  const clean = situation.candidates.find((candidate) => usable(candidate) && !candidate.degraded);
  const spoken = situation.candidates.find(({ code }) => code === "DRIVER_OLDER");
  const driver = spoken && driverShippedWith(parseVersion(spoken.version)!);
  if (!clean) return updateDriver(situation, driver);
  const where = situation.facts.system.kind === "container" ? " on the host" : "";
  const newer = driver === undefined ? "" : ` Or update the driver${where} to ${driver} or newer.`;
  return {
    remedy: `It works. To have a library that is not newer than the driver, ask for ${clean.library}.${newer}`,
    command: setVariable(platformOf(situation), variableOf(clean), digits(clean)),
  };
}
