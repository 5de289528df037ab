/** The one thing to do next, by what is wrong and on what kind of system: a sentence, and a command where one does it. */
import type { Reason } from "@halfbyte/core";
import { installDriver, updateDriver } from "./driver-fix.js";
import { driverShippedWith, oldestDriver } from "./driver-floor.js";
import type { MachineFacts } from "./machine-facts.js";
import type { Environment, Override } from "./override.js";
import { formatVersion, parseVersion, type RuntimeVersion } from "./runtime-version.js";
import type { Verdict } from "./select-library.js";
import { setVariable, unsetVariable, withoutFolders } from "./shell-command.js";

export interface Fix {
  readonly remedy: string;
  readonly command: string | null;
}

export interface Situation {
  /** What is wrong, or what is to be said of the library that works. */
  readonly reason: Reason;
  readonly facts: MachineFacts;
  readonly env: Environment;
  /** ID of /etc/os-release. */
  readonly distribution?: string;
  /** Without an override, best first. */
  readonly candidates: readonly Verdict[];
  readonly override?: Override;
  /** Libraries that failed their probe. */
  readonly failed: readonly string[];
}

type FixOf = (situation: Situation) => Fix | undefined;

/** The fix for a code; codes that are not here have the remedy of their reason, which needs no machine to be right. */
const fixes: Readonly<Record<string, FixOf>> = {
  OVERRIDE_INVALID: (situation) => anotherOverride(situation),
  OVERRIDE_NOT_FOUND: (situation) => anotherOverride(situation),
  CUDA_NO_DRIVER: (situation) => installDriver(situation),
  CUDA_NO_DEVICE: (situation) => showDevices(situation),
  CUDA_DRIVER_TOO_OLD: (situation) => forOldDriver(situation),
  CUDA_DRIVER_MISMATCH: (situation) => withoutCompat(situation) ?? afterUpdate(situation),
  CUDA_FORWARD_COMPAT: (situation) => withoutCompat(situation) ?? removeCompat,
  CUDA_STUB_DRIVER: (situation) => withoutStubs(situation),
  CUDA_DEVICE_BUSY: () => ({
    remedy: "Wait for the process that holds the GPU, or give the GPU back to all.",
    command: "sudo nvidia-smi -c 0",
  }),
  CUDA_NOT_READY: () => ({
    remedy: "Start the fabric manager of the driver's version.",
    command: "sudo systemctl start nvidia-fabricmanager",
  }),
  CUDA_NO_CODE_FOR_GPU: (situation) => buildForGpu(situation),
  CUDA_PTX_TOO_NEW: (situation) => newerDriverOf(situation),
  CUDA_KERNEL_IMAGE_INVALID: (situation) => newerDriverOf(situation),
  CUDA_NO_LIBRARY_FITS: (situation) => forCandidates(situation),
  LIBRARY_NOT_FOUND: (situation) => getLibraries(situation),
  LIBRARY_WRONG_ARCHITECTURE: (situation) => getLibraries(situation),
  LIBRARY_CHANGED: (situation) => reinstall(situation),
  LIBRARY_MANIFEST_INVALID: (situation) => reinstall(situation),
  LIBRARY_ABI_MISMATCH: (situation) => reinstall(situation),
  LIBC_MUSL: () => ({
    remedy: "Use an image with glibc, such as Debian's; on this one the cpu backend runs in WebAssembly.",
    command: "docker run --rm --gpus all node:22-bookworm-slim npx -y halfbyte doctor",
  }),
  GLIBC_TOO_OLD: (situation) => build(situation, "Use a newer distribution, or build the library on this one."),
  DRIVER_OLDER: (situation) => notNewerThanDriver(situation),
  PTX_JIT: (situation) => nativeCode(situation),
};

export function suggestedFix(situation: Situation): Fix {
  const { reason, override } = situation;
  const other = override && !reason.code.startsWith("OVERRIDE_") ? withoutOverride(situation, override) : undefined;
  return (
    other ?? fixes[reason.code]?.(situation) ?? anotherLibrary(situation) ?? { remedy: reason.remedy, command: null }
  );
}

const usable = ({ verdict }: Verdict): boolean => verdict !== "refused";

/** The digits of cuda124. */
const digits = ({ library }: Verdict): string => library.replace(/^\D+/, "");

const variableOf = ({ library }: Verdict): string => `HALFBYTE_${library.replace(/\d+$/, "").toUpperCase()}_VERSION`;

const platformOf = ({ facts }: Situation): string => facts.system.platform;

function anotherOverride(situation: Situation): Fix {
  const { override, candidates, reason } = situation;
  const [platform, variable] = [platformOf(situation), override!.variable];
  const best = candidates.find(
    (candidate) => usable(candidate) && variableOf(candidate).slice(8) === variable.slice(variable.indexOf("_")),
  );
  if (!best) return { remedy: `Unset ${variable}. ${reason.remedy}`, command: unsetVariable(platform, variable) };
  return {
    remedy: `Ask for a library that is installed: ${best.library} fits this machine best. Or unset ${variable}, which chooses it too.`,
    command: setVariable(platform, variable, digits(best)),
  };
}

/** An override that leads nowhere, while something else would do. */
function withoutOverride(situation: Situation, { variable }: Override): Fix | undefined {
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
function anotherLibrary(situation: Situation): Fix | undefined {
  const { candidates, failed, reason } = situation;
  const works = candidates.find((candidate) => usable(candidate) && !failed.includes(candidate.library));
  if (failed.length === 0 || !works) return undefined;
  return {
    remedy: `${works.library} is used instead of ${failed.join(", ")}; say so to have it without trying. ${reason.remedy}`,
    command: setVariable(platformOf(situation), variableOf(works), digits(works)),
  };
}

function showDevices(situation: Situation): Fix {
  const variable = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"].find((name) => situation.env[name] !== undefined);
  if (variable)
    return {
      remedy: `${variable}=${situation.env[variable]} hides the GPUs: unset it, or name one of \`nvidia-smi -L\`.`,
      command: unsetVariable(platformOf(situation), variable),
    };
  if (situation.facts.system.kind === "container") return installDriver(situation);
  return { remedy: "The driver runs and sees no GPU: look at what it lists.", command: "nvidia-smi -L" };
}

function forOldDriver(situation: Situation): Fix {
  const { driver } = situation.facts;
  const buildable = "major" in driver ? builtFor.find(({ major }) => major === driver.major) : undefined;
  const there =
    buildable && situation.candidates.some(({ version }) => parseVersion(version)?.major === buildable.major);
  if (buildable && !there)
    return build(situation, `This driver runs libraries of CUDA ${buildable.major}: build one.`, buildable);
  const oldest = situation.candidates.map(({ version }) => parseVersion(version)!).sort((a, b) => a.major - b.major)[0];
  return updateDriver(situation, oldest && oldestDriver(oldest, situation.facts.system.platform));
}

/** Versions that this project builds libraries with; the older, the more GPUs and drivers. */
const builtFor: readonly RuntimeVersion[] = [
  { major: 11, minor: 8 },
  { major: 12, minor: 4 },
  { major: 13, minor: 0 },
];

const build = (_situation: Situation, remedy: string, version: RuntimeVersion = builtFor[1]!): Fix => ({
  remedy,
  command: `halfbyte libs build ${formatVersion(version)}`,
});

/** CUDA 13 has no code for GPUs before 7.5, and CUDA 11.8 none but PTX after 9.0. */
function buildForGpu(situation: Situation): Fix {
  const { driver, gpus = [] } = situation.facts;
  const major = "major" in driver ? driver.major : 12;
  const old = gpus.some(({ capability }) => capability.major < 7 || (capability.major === 7 && capability.minor < 5));
  const version = builtFor.filter((built) => built.major <= (old ? Math.min(major, 12) : major)).at(-1) ?? builtFor[0]!;
  const names = [...new Set(gpus.map(({ capability }) => `sm_${capability.major}${capability.minor}`))].join(", ");
  return build(situation, `Build a library with code for ${names || "this GPU"}; it needs that CUDA toolkit.`, version);
}

/** So that the driver is as new as the library of which is spoken. */
function newerDriverOf(situation: Situation): Fix {
  const versions = situation.candidates
    .filter(({ code }) => code === situation.reason.code)
    .map(({ version }) => parseVersion(version));
  const lowest = versions.filter((version) => version !== undefined).at(-1);
  return updateDriver(situation, lowest && driverShippedWith(lowest));
}

/** Several libraries, several reasons: an updated driver helps most of them, else the reason of the first. */
function forCandidates(situation: Situation): Fix {
  const { candidates } = situation;
  const worth = [
    "CUDA_NO_CODE_FOR_GPU",
    "LIBRARY_CHANGED",
    "LIBRARY_MANIFEST_INVALID",
    "CUDA_PTX_TOO_NEW",
    "CUDA_DRIVER_TOO_OLD",
  ];
  const code =
    worth.find((code) => candidates.some((candidate) => candidate.code === code)) ?? candidates[0]?.code ?? "";
  const of = candidates.find((candidate) => candidate.code === code);
  const reason = {
    code,
    message: of?.reason ?? situation.reason.message,
    remedy: of?.remedy ?? situation.reason.remedy,
  };
  return fixes[code]?.({ ...situation, reason }) ?? { remedy: reason.remedy, command: null };
}

const hasCompat = (folder: string): boolean => /(^|\/)compat\/?$|cuda-compat/.test(folder);
const hasStubs = (folder: string): boolean => /(^|\/)stubs\/?$/.test(folder);

const removeCompat: Fix = {
  remedy: "Remove cuda-compat from the image: only data-center GPUs support it.",
  command: "apt-get remove --yes 'cuda-compat-*' && ldconfig",
};

function withoutCompat(situation: Situation): Fix | undefined {
  const command = withoutFolders("LD_LIBRARY_PATH", situation.env["LD_LIBRARY_PATH"] ?? "", hasCompat);
  return command === undefined
    ? undefined
    : {
        remedy: "Take the folder of cuda-compat out of LD_LIBRARY_PATH: its libcuda does not fit this driver.",
        command,
      };
}

function afterUpdate({ facts }: Situation): Fix {
  if (facts.system.kind === "container")
    return {
      ...removeCompat,
      remedy: "Remove cuda-compat from the image: its libcuda is another than the host's driver.",
    };
  return { remedy: "The driver was updated while it ran: restart the machine.", command: "sudo reboot" };
}

function withoutStubs(situation: Situation): Fix {
  const command = withoutFolders("LD_LIBRARY_PATH", situation.env["LD_LIBRARY_PATH"] ?? "", hasStubs);
  const remedy = "Take the toolkit's folder of stubs out of LD_LIBRARY_PATH: its libcuda is for linking only.";
  return command === undefined ? { ...installDriver(situation) } : { remedy, command };
}

function getLibraries(situation: Situation): Fix {
  const { platform, arch, libc } = situation.facts.system;
  if (platform === "linux" && arch === "x64" && libc.kind !== "musl")
    return {
      remedy: "Install the package that brings the CUDA libraries for Linux on x86-64.",
      command: "npm install @halfbyte/backend-cuda-linux-x64",
    };
  const { driver } = situation.facts;
  const version = "major" in driver ? builtFor.filter(({ major }) => major <= driver.major).at(-1) : undefined;
  return build(situation, `There is no package of CUDA libraries for ${platform} on ${arch}: build one here.`, version);
}

/** From where it came: the user's store, or a package. */
function reinstall(situation: Situation): Fix {
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

function notNewerThanDriver(situation: Situation): Fix {
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

/** Something newer would have code of its own for the GPU. */
function nativeCode(situation: Situation): Fix {
  const refused = situation.candidates.filter(({ code }) => code === "CUDA_DRIVER_TOO_OLD");
  const newest = refused[0] && parseVersion(refused[0].version);
  if (!newest) return buildForGpu(situation);
  return updateDriver(situation, oldestDriver(newest, situation.facts.system.platform));
}
