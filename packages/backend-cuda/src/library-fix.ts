/** Fixes that bring a library: install its package, or build it. */
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";
import type { Fix, Situation } from "./suggested-fix.js";

/** Versions that this project builds libraries with; the older, the more GPUs and drivers. */
export const builtFor: readonly RuntimeVersion[] = [
  { major: 11, minor: 8 },
  { major: 12, minor: 4 },
  { major: 13, minor: 0 },
];

export const build = (remedy: string, version: RuntimeVersion = builtFor[1]!): Fix => ({
  remedy,
  command: `halfbyte libs build ${formatVersion(version)}`,
});

/** CUDA 13 has no code for GPUs before 7.5, and CUDA 11.8 none but PTX after 9.0. */
export function buildForGpu(situation: Situation): Fix {
  const { driver, gpus = [] } = situation.facts;
  const major = "major" in driver ? driver.major : 12;
  const old = gpus.some(({ capability }) => capability.major < 7 || (capability.major === 7 && capability.minor < 5));
  const version = builtFor.filter((built) => built.major <= (old ? Math.min(major, 12) : major)).at(-1) ?? builtFor[0]!;
  const names = [...new Set(gpus.map(({ capability }) => `sm_${capability.major}${capability.minor}`))].join(", ");
  return build(`Build a library with code for ${names || "this GPU"}; it needs that CUDA toolkit.`, version);
}

/** There is none for this platform. */
export function getLibraries(situation: Situation): Fix {
  const { platform, arch, libc } = situation.facts.system;
  if (platform === "linux" && arch === "x64" && libc.kind !== "musl")
    return {
      remedy: "Install the package that brings the CUDA libraries for Linux on x86-64.",
      command: "npm install @halfbyte/backend-cuda-linux-x64",
    };
  const { driver } = situation.facts;
  const version = "major" in driver ? builtFor.filter(({ major }) => major <= driver.major).at(-1) : undefined;
  return build(`There is no package of CUDA libraries for ${platform} on ${arch}: build one here.`, version);
}

/** From where it came: the user's store, or a package. */
export function reinstall(situation: Situation): Fix {
  const spoken = situation.candidates.find(({ code }) => code === situation.reason.code);
  if (spoken?.path.includes("/halfbyte/libraries/"))
    return {
      remedy: `${spoken.path} is damaged: go back to the library before it.`,
      command: "halfbyte libs rollback",
    };
  return {
    remedy: "Install the package of the libraries again; `halfbyte libs verify` shows which files are meant.",
    command: "npm install --force @halfbyte/backend-cuda-linux-x64",
  };
}
