/** The kernel module's version: known even without libcuda, which may be of another. Neither WSL2 nor many sandboxes show it. */
import { type Context, type Detector, ignored, type Role, used } from "../detector.js";
import { cudaOfDriver } from "../driver-floor.js";
import { driverVersionOf, headOf, linesOf } from "../plain-text.js";
import { formatVersion } from "../runtime-version.js";
import type { World } from "../world.js";

export interface KernelDriverFinding {
  readonly version: string;
  /** Whether it is the open kernel module; undefined when only /sys told. */
  readonly open?: boolean;
  /** The two files tell different versions. */
  readonly other?: string;
}

const moduleFile = "/sys/module/nvidia/version";
const driverFile = "/proc/driver/nvidia/version";

export const kernelDriver: Detector<KernelDriverFinding> = {
  name: "kernel driver",
  depth: "quick",
  async find(world) {
    const [sys, proc] = await Promise.all([textOf(world, moduleFile), textOf(world, driverFile)]);
    if (sys === undefined && proc === undefined) return undefined;
    const fromSys = sys === undefined ? undefined : driverVersionOf(headOf(sys));
    const fromProc = proc === undefined ? undefined : parseDriverFile(proc);
    const version = fromProc?.version ?? fromSys;
    if (version === undefined) throw new Error(`${sys === undefined ? driverFile : moduleFile} holds no version.`);
    const differs = fromSys !== undefined && fromSys !== version;
    return { version, ...(fromProc && { open: fromProc.open }), ...(differs && { other: fromSys }) };
  },
  value: ({ version, open }) => `${version}${open ? " (open kernel module)" : ""}`,
  trouble: ({ version, other }) =>
    other === undefined ? undefined : `${driverFile} says ${version}, ${moduleFile} says ${other}`,
  role: roleOf,
};

/** Undefined where it is not there; rejects where it cannot be read. */
const textOf = (world: World, path: string): Promise<string | undefined> =>
  world.readText(path).catch((thrown: unknown) => {
    if (thrown instanceof Error && "code" in thrown && (thrown.code === "ENOENT" || thrown.code === "ENOTDIR"))
      return undefined;
    throw thrown;
  });

/**
 * "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 …", or, of the open module,
 * "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build  (…)".
 */
function parseDriverFile(text: string): { version: string; open: boolean } | undefined {
  const line = linesOf(text).find((each) => each.startsWith("NVRM version:"));
  const match = /(Open )?Kernel Module(?: for \S+)?\s+(\S+)/.exec(line ?? "");
  const version = driverVersionOf(match?.[2] ?? "");
  return version === undefined ? undefined : { version, open: match?.[1] !== undefined };
}

function roleOf(found: KernelDriverFinding | undefined, { found: { libcuda } }: Context): Role {
  if (!found) return ignored("no NVIDIA kernel module shows itself");
  const version = libcuda?.version;
  const told = cudaOfDriver(found.version);
  if (!version || version === "none") return used("what there is of a driver, although libcuda cannot be used");
  if (told && formatVersion(told) !== formatVersion(version))
    return ignored(
      `a driver of this number has CUDA ${formatVersion(told)}; libcuda, which is what is used, has ${formatVersion(version)}`,
    );
  return used("the kernel driver's version");
}
