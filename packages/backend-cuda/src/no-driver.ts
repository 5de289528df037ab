/** Why there is no libcuda, and what to do about it: that depends on the kind of machine, and on what there is of a driver. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { Found, Troubles } from "./detector.js";
import type { World } from "./world.js";

export type Circumstances = Pick<World, "platform" | "env">;

/** Undefined from a rule that does not apply; the first that does is the answer. */
type Rule = (world: Circumstances, found: Found, troubles: Troubles) => Reason | undefined;

const noDriver = (message: string, remedy?: string): Reason => reasonOf("CUDA_NO_DRIVER", message, remedy);

const refusedByLoader: Rule = (_world, _found, { libcuda }) =>
  libcuda === undefined
    ? undefined
    : noDriver(`libcuda cannot be used: ${libcuda}`, "Install the NVIDIA driver again, for this processor and system.");

const onWindows: Rule = ({ platform }) =>
  platform === "win32" ? noDriver("nvcuda.dll was not found.", "Install the NVIDIA driver for Windows.") : undefined;

const inWsl: Rule = (_world, { system }) =>
  system?.kind !== "wsl2"
    ? undefined
    : noDriver(
        "libcuda was not found; in WSL2 the driver of Windows brings it in /usr/lib/wsl/lib.",
        system.container
          ? "Start the container with GPUs (`docker run --gpus all`), and install the NVIDIA driver in Windows."
          : "Install the NVIDIA driver in Windows, none inside WSL, then run `wsl --shutdown`.",
      );

const onJetson: Rule = (_world, { system }) =>
  system?.kind !== "jetson"
    ? undefined
    : noDriver(
        `libcuda was not found on this Jetson (${system.jetson}).`,
        system.container
          ? "Start the container with `--runtime nvidia`."
          : "Install the CUDA of JetPack: `sudo apt-get install nvidia-jetpack`.",
      );

const keptOut: Rule = (_world, { container }) => {
  if (!container?.keptOut) return undefined;
  const { NVIDIA_VISIBLE_DEVICES: visible = "", NVIDIA_DRIVER_CAPABILITIES: capabilities = "" } = container.variables;
  return container.keptOut === "no GPU"
    ? noDriver(
        `NVIDIA_VISIBLE_DEVICES="${visible}" keeps the driver out of this container.`,
        "Start it with GPUs: `docker run --gpus all`, or NVIDIA_VISIBLE_DEVICES=all with the NVIDIA runtime.",
      )
    : noDriver(
        `NVIDIA_DRIVER_CAPABILITIES="${capabilities}" lacks compute: libcuda is not in this container.`,
        "Start it with `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`.",
      );
};

const inContainer: Rule = (_world, { system, kernelDriver, pci }) => {
  if (!system?.container) return undefined;
  const gpu = kernelDriver
    ? `the host's driver ${kernelDriver.version}`
    : pci?.gpus[0] && `an NVIDIA GPU (${pci.gpus[0]})`;
  if (gpu === undefined && pci)
    return noDriver(
      "libcuda was not found in this container, and its host shows no NVIDIA GPU.",
      "Use the webgpu or cpu backend; on a host with a GPU start the container with `docker run --gpus all`.",
    );
  return noDriver(
    gpu === undefined
      ? "libcuda was not found in this container."
      : `libcuda was not found in this container, which shows ${gpu}.`,
    "Start it with `docker run --gpus all` (the host needs the NVIDIA Container Toolkit) and the capability `compute`.",
  );
};

const onlyKernel: Rule = (_world, { kernelDriver }) =>
  kernelDriver &&
  noDriver(
    `The kernel driver ${kernelDriver.version} is loaded, but libcuda was not found.`,
    `Install the CUDA part of driver ${kernelDriver.version} (Debian: libcuda1, Ubuntu: libnvidia-compute-${kernelDriver.version.split(".")[0]}).`,
  );

const onlyHardware: Rule = (_world, { pci }) =>
  pci && pci.gpus.length > 0
    ? noDriver(
        `There is an NVIDIA GPU (${pci.gpus[0]}), but no NVIDIA driver.`,
        "Install the NVIDIA driver and restart; nouveau cannot run CUDA.",
      )
    : undefined;

const nothing: Rule = (_world, { pci }) =>
  pci
    ? noDriver("There is no NVIDIA driver, and no NVIDIA GPU.", "Use the webgpu or cpu backend on this machine.")
    : noDriver("There is no NVIDIA driver: libcuda was not found.");

const rules: readonly Rule[] = [
  refusedByLoader,
  onWindows,
  inWsl,
  onJetson,
  keptOut,
  inContainer,
  onlyKernel,
  onlyHardware,
  nothing,
];

export function noDriverReason(world: Circumstances, found: Found, troubles: Troubles): Reason {
  for (const rule of rules) {
    const reason = rule(world, found, troubles);
    if (reason) return reason;
  }
  return noDriver("There is no NVIDIA driver.");
}
