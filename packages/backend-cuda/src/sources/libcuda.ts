/**
 * libcuda itself: the most trusted source, for it is what a library will meet. cuDriverGetVersion needs neither cuInit nor a GPU, so
 * it is called in this process; everything that starts the driver happens in another (device-list.ts).
 */
import { messageOf } from "@halfbyte/core";
import { driverOfNumber } from "../cuda-error.js";
import { type Detector, used } from "../detector.js";
import { exists } from "../exists.js";
import { oneLine } from "../plain-text.js";
import { formatVersion, type RuntimeVersion } from "../runtime-version.js";
import type { SystemLibrary, World } from "../world.js";

/** Where WSL2 puts the libraries that the driver of Windows brings. */
const wslFolder = "/usr/lib/wsl/lib";

/** As on Linux. */
const longestPath = 4096;

export interface LibcudaFinding {
  /** The name by which the system's loader found it. */
  readonly name: string;
  readonly path: string;
  /** What cuDriverGetVersion returned, and the number that it gave. */
  readonly status: number;
  readonly number: number;
  /** "none" where libcuda knows no driver; absent when the number is no version. */
  readonly version?: RuntimeVersion | "none";
  /** A driver for Linux, installed inside WSL2, stands before the one that works there. */
  readonly shadowsWsl?: true;
}

export const libcuda: Detector<LibcudaFinding> = {
  name: "libcuda",
  depth: "quick",
  async find(world) {
    const opened = openLibcuda(world);
    if (!opened) return undefined;
    const out = new Int32Array(1);
    const status = opened.library.call("cuDriverGetVersion", "int *", out);
    const number = out[0]!;
    const path = oneLine(opened.library.path, longestPath);
    const version = status === 0 ? driverOfNumber(number) : undefined;
    const shadowsWsl = !path.startsWith(wslFolder) && (await exists(world, `${wslFolder}/libcuda.so.1`));
    const told = { ...(version && { version }), ...(shadowsWsl && { shadowsWsl }) };
    return { name: opened.name, path, status, number, ...told };
  },
  value: ({ path, version }) => `${version && version !== "none" ? formatVersion(version) : "no version"} (${path})`,
  trouble({ status, number, version, path, shadowsWsl }) {
    if (shadowsWsl) return `${path} is of a driver for Linux and hides that of WSL2 in ${wslFolder}`;
    if (status !== 0) return `cuDriverGetVersion returned ${status}`;
    return version === undefined ? `cuDriverGetVersion gave ${number}, which is no version` : undefined;
  },
  role: (found) => used(found ? "the CUDA version of the driver" : "there is no driver that CUDA could use"),
};

interface Opened {
  readonly name: string;
  readonly library: SystemLibrary;
}

/** The first that the loader finds; undefined when there is none. Throws when there is one that it refuses. */
export function openLibcuda(world: Pick<World, "platform" | "arch" | "openLibrary">): Opened | undefined {
  const refusals: string[] = [];
  for (const name of libcudaNames(world)) {
    try {
      return { name, library: world.openLibrary(name) };
    } catch (thrown) {
      const said = messageOf(thrown);
      if (!isNotFound(said)) refusals.push(`${name}: ${said}`);
    }
  }
  if (refusals.length > 0) throw new Error(refusals.join("; "));
  return undefined;
}

/** By soname first, as every CUDA program does it; then folders that a loader's cache may lack on WSL2, Jetson and NixOS. */
function libcudaNames({ platform, arch }: Pick<World, "platform" | "arch">): readonly string[] {
  if (platform === "win32") return ["nvcuda.dll"];
  const tegra = ["/usr/lib/aarch64-linux-gnu/nvidia", "/usr/lib/aarch64-linux-gnu/tegra"];
  const folders = [wslFolder, ...(arch === "arm64" ? tegra : []), "/run/opengl-driver/lib"];
  return ["libcuda.so.1", ...folders.map((folder) => `${folder}/libcuda.so.1`)];
}

/** What the loaders of glibc, musl and Windows say when there is no such file. */
const isNotFound = (said: string): boolean => /no such file|could not be found|not found/i.test(said);
