/** The GPUs as CUDA lists them, from a process of its own. It honours CUDA_VISIBLE_DEVICES, as a library will. */
import type { Detector, Role } from "../detector.js";
import { ignored, used } from "../detector.js";
import { type DeviceReport, reportOf } from "../device-report.js";
import { formatVersion } from "../runtime-version.js";
import { openLibcuda } from "./libcuda.js";

export interface DeviceListFinding extends DeviceReport {
  /** The driver took its process down, as it would take a library's. */
  readonly crashed: boolean;
}

/** The child ends before nobody waits any more, and can still say in which call it hung. */
const shareForChild = 0.95;

export const deviceList: Detector<DeviceListFinding> = {
  name: "GPUs (CUDA)",
  depth: "full",
  async find(world, { limitMs, signal }) {
    const libcuda = openLibcuda(world);
    if (!libcuda) return undefined;
    const question = { by: "cuda", names: [libcuda.name] } as const;
    const ending = await world.listDevices(question, { limitMs: limitMs * shareForChild, signal });
    return { ...reportOf(ending), crashed: ending.signal !== null && !ending.timedOut };
  },
  value: ({ devices }) => (devices.length === 0 ? null : devices.map(sayDevice).join(", ")),
  trouble: ({ failed, thrown, trouble }) =>
    failed ? `${failed.call} returned ${failed.status}` : thrown === undefined ? trouble : thrown,
  role: (found) => roleOf(found),
};

function roleOf(found: DeviceListFinding | undefined): Role {
  if (!found) return ignored("without libcuda there is nobody to ask");
  if (found.failed || found.crashed) return used("why the driver cannot be used");
  return found.devices.length > 0 ? used("the GPUs that need code") : used("whether there is a GPU");
}

export const sayDevice = ({ name, capability }: DeviceReport["devices"][number]): string =>
  capability ? `${name} (${formatVersion(capability)})` : `${name} (silent)`;
