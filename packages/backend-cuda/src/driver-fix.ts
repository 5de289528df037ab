/** How a driver gets to where it is missing or too old: that depends on what kind of system this is, and who looks after its driver. */
import { branchOf } from "./driver-floor.js";
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
