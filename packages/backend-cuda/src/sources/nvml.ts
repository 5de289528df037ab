/**
 * NVML: the kernel driver's version, the highest CUDA version it can serve, and every GPU, whatever CUDA_VISIBLE_DEVICES says. From a
 * process of its own: it may hang when a GPU is lost, and a call that hangs on a thread of this process would keep it from ending.
 */
import { driverOfNumber } from "../cuda-error.js";
import { type Context, type Detector, ignored, type Role, used } from "../detector.js";
import { type DeviceReport, reportOf } from "../device-report.js";
import { nvmlNames } from "../nvml.js";
import { nvmlReason } from "../nvml-error.js";
import { compareVersions, formatVersion, type RuntimeVersion } from "../runtime-version.js";
import { sayDevice } from "./device-list.js";

export interface NvmlFinding extends Omit<DeviceReport, "cuda"> {
  readonly cuda?: RuntimeVersion;
}

const shareForChild = 0.95;

export const nvml: Detector<NvmlFinding> = {
  name: "NVML",
  depth: "full",
  async find(world, { limitMs, signal }) {
    const names = nvmlNames(world.platform);
    if (!names.some((name) => canOpen(world, name))) return undefined;
    const ending = await world.listDevices({ by: "nvml", names }, { limitMs: limitMs * shareForChild, signal });
    const { cuda: number, ...report } = reportOf(ending);
    const cuda = number === undefined ? undefined : driverOfNumber(number);
    return { ...report, ...(cuda && cuda !== "none" && { cuda }) };
  },
  value({ driver, cuda, devices }) {
    const versions = [driver && `driver ${driver}`, cuda && `CUDA up to ${formatVersion(cuda)}`].filter(Boolean);
    return [...versions, ...devices.map(sayDevice)].join(", ") || null;
  },
  trouble: ({ failed, thrown, trouble }) =>
    failed ? nvmlReason(failed.status, failed.call).message : (thrown ?? trouble),
  role: roleOf,
};

function canOpen(world: { openLibrary(name: string): unknown }, name: string): boolean {
  try {
    world.openLibrary(name);
    return true;
  } catch {
    return false;
  }
}

function roleOf(found: NvmlFinding | undefined, { facts, found: { libcuda } }: Context): Role {
  if (!found) return ignored("there is no NVML");
  const version = libcuda?.version;
  if (found.cuda && version && version !== "none" && compareVersions(found.cuda, version) !== 0)
    return ignored(
      `its CUDA ${formatVersion(found.cuda)} is the kernel driver's; libcuda, which is what is used, has ${formatVersion(version)}`,
    );
  if (facts.kernelDriver !== undefined && facts.kernelDriver === found.driver)
    return used("the kernel driver's version");
  return ignored("libcuda is asked for versions and GPUs");
}
