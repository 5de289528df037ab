/** How a driver gets to where it is missing or too old: that depends on what kind of system this is, and who looks after its driver. */
import { branchOf, driverShippedWith, oldestDriver } from "./driver-floor.js";
import { build, buildForGpu, builtFor } from "./library-fix.js";
import { parseVersion } from "./runtime-version.js";
import { unsetVariable } from "./shell-command.js";
import type { Fix, Situation } from "./suggested-fix.js";

/** Shows on the host whether GPUs and the driver reach a container. */
const containerCheck =
  "docker run --rm --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility node:22-bookworm-slim npx -y halfbyte doctor";

const onWindows = "https://www.nvidia.com/drivers";

export function installDriver(situation: Situation): Fix {
  const { kind, platform } = situation.facts.system;
  if (kind === "container") return giveGpus(situation);
  if (kind === "wsl2")
    return {
      remedy: `Install the NVIDIA driver in Windows (${onWindows}) and none inside WSL, then restart WSL.`,
      command: "wsl.exe --shutdown",
    };
  if (kind === "jetson")
    return {
      remedy: "Install the driver's CUDA libraries of JetPack, then restart.",
      command: "sudo apt-get install nvidia-l4t-cuda",
    };
  if (platform === "win32") return { remedy: `Install the NVIDIA driver from ${onWindows}.`, command: null };
  return { remedy: "Install the NVIDIA driver, then restart the machine.", command: packageCommand(situation) };
}

/** `driver`: at least this one. */
export function updateDriver(situation: Situation, driver: string | undefined): Fix {
  const { kind, platform } = situation.facts.system;
  const wanted =
    driver === undefined ? "a newer NVIDIA driver" : `NVIDIA driver R${branchOf(driver)} (${driver}) or newer`;
  if (kind === "container")
    return {
      remedy: `Install ${wanted} on the host: a container uses the host's.`,
      command: packageCommand(situation),
    };
  if (kind === "wsl2")
    return { remedy: `Install ${wanted} in Windows (${onWindows}), then restart WSL.`, command: "wsl.exe --shutdown" };
  if (kind === "jetson")
    return {
      remedy: `Its driver comes with JetPack: update to a release that brings ${wanted}, or build the library for this one.`,
      command: "sudo apt-get update && sudo apt-get install nvidia-jetpack",
    };
  if (platform === "win32") return { remedy: `Install ${wanted} from ${onWindows}.`, command: null };
  return { remedy: `Install ${wanted}, then restart the machine.`, command: packageCommand(situation) };
}

/** The newest that the distribution has for this GPU; in a container, the host's is not known. */
function packageCommand({ distribution, facts }: Situation): string | null {
  if (facts.system.kind === "container") return null;
  if (distribution === "ubuntu") return "sudo ubuntu-drivers install";
  if (distribution === "debian") return "sudo apt-get install nvidia-driver";
  if (distribution === "fedora") return "sudo dnf install akmod-nvidia";
  return null;
}

function giveGpus({ env }: Situation): Fix {
  const capabilities = env["NVIDIA_DRIVER_CAPABILITIES"];
  const visible = env["NVIDIA_VISIBLE_DEVICES"];
  const wrong =
    visible === "void" || visible === "none"
      ? `NVIDIA_VISIBLE_DEVICES=${visible} keeps the GPUs out. `
      : capabilities !== undefined && !/\b(compute|all)\b/.test(capabilities)
        ? `NVIDIA_DRIVER_CAPABILITIES=${capabilities} keeps libcuda out: it needs compute. `
        : "";
  return {
    remedy: `${wrong}Start the container with GPUs (\`--gpus all\`); the host needs the NVIDIA driver and the NVIDIA Container Toolkit. On the host, this shows whether both are in order.`,
    command: containerCheck,
  };
}

/** The driver runs, and hides what it has. */
export function showDevices(situation: Situation): Fix {
  const variable = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"].find((name) => situation.env[name] !== undefined);
  if (variable)
    return {
      remedy: `${variable}=${situation.env[variable]} hides the GPUs: unset it, or name one of \`nvidia-smi -L\`.`,
      command: unsetVariable(situation.facts.system.platform, variable),
    };
  if (situation.facts.system.kind === "container") return installDriver(situation);
  return { remedy: "The driver runs and sees no GPU: look at what it lists.", command: "nvidia-smi -L" };
}

/** A library for this driver, where one can be built, else a driver for the oldest library. */
export function forOldDriver(situation: Situation): Fix {
  const { driver } = situation.facts;
  const buildable = "major" in driver ? builtFor.find(({ major }) => major === driver.major) : undefined;
  const there =
    buildable && situation.candidates.some(({ version }) => parseVersion(version)?.major === buildable.major);
  if (buildable && !there) return build(`This driver runs libraries of CUDA ${buildable.major}: build one.`, buildable);
  const oldest = situation.candidates.map(({ version }) => parseVersion(version)!).sort((a, b) => a.major - b.major)[0];
  return updateDriver(situation, oldest && oldestDriver(oldest, situation.facts.system.platform));
}

/** So that the driver is as new as the library of which is spoken. */
export function newerDriverOf(situation: Situation): Fix {
  const versions = situation.candidates
    .filter(({ code }) => code === situation.reason.code)
    .map(({ version }) => parseVersion(version));
  const lowest = versions.filter((version) => version !== undefined).at(-1);
  return updateDriver(situation, lowest && driverShippedWith(lowest));
}

/** Something newer would have code of its own for the GPU. */
export function nativeCode(situation: Situation): Fix {
  const refused = situation.candidates.filter(({ code }) => code === "CUDA_DRIVER_TOO_OLD");
  const newest = refused[0] && parseVersion(refused[0].version);
  if (!newest) return buildForGpu(situation);
  return updateDriver(situation, oldestDriver(newest, situation.facts.system.platform));
}
