/** Whether there is NVIDIA hardware at all, whatever is installed. A container sees the host's; WSL2 and Jetson show none. */
import { type Detector, ignored, used } from "../detector.js";
import { textOrNone } from "../exists.js";
import type { World } from "../world.js";

export interface PciFinding {
  /** Addresses of NVIDIA's display and 3D controllers. */
  readonly gpus: readonly string[];
}

const folder = "/sys/bus/pci/devices";
const nvidia = "0x10de";
/** Class 03: VGA, 3D and other display controllers. NVIDIA's sound and USB parts are no GPUs. */
const display = /^0x03[0-9a-f]{4}$/;
/** More than any machine has. */
const mostDevices = 4096;

export const pci: Detector<PciFinding> = {
  name: "PCI bus",
  depth: "quick",
  async find(world) {
    if (world.platform !== "linux") return undefined;
    const addresses = await world.list(folder).catch(() => []);
    if (addresses.length === 0) return undefined;
    const known = await Promise.all(addresses.slice(0, mostDevices).map((address) => gpuAt(world, address)));
    return { gpus: known.filter((address) => address !== undefined) };
  },
  value: ({ gpus }) => (gpus.length === 0 ? "no NVIDIA GPU" : `NVIDIA GPU at ${gpus.slice(0, 16).join(", ")}`),
  role: (found) => (found ? used("whether there is NVIDIA hardware") : ignored("the bus does not show itself")),
};

async function gpuAt(world: World, address: string): Promise<string | undefined> {
  const vendor = await textOrNone(world, `${folder}/${address}/vendor`);
  if (vendor?.slice(0, 16).trim() !== nvidia) return undefined;
  const kind = await textOrNone(world, `${folder}/${address}/class`);
  return display.test(kind?.slice(0, 16).trim() ?? "") ? address : undefined;
}
