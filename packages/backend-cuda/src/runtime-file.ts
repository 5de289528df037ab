/** CUDA runtimes as files: which version a name stands for. */
import { posix, win32 } from "node:path";
import type { RuntimeFile } from "./machine-facts.js";
import type { World } from "./world.js";

type FileVersion = NonNullable<RuntimeFile["version"]>;

/** Libraries that programs of this process could load, or have loaded. */
export interface LibraryFiles {
  readonly runtimes: readonly RuntimeFile[];
  /** Every libcuda. */
  readonly drivers: readonly string[];
}

/** The last part of a path of this platform. */
export const fileOf = (platform: NodeJS.Platform, path: string): string =>
  (platform === "win32" ? win32 : posix).basename(path);

/**
 * libcudart.so.12.4.127 is 12.4 and libcudart.so.12 any 12.x; so is libcudart.so.11.0 any 11.x, for since CUDA 11 that is the name of
 * the interface. Windows writes cudart64_110.dll for 11.x, cudart64_12.dll since. Undefined for files that are no CUDA runtime.
 */
export function cudartVersion(file: string): FileVersion | "unknown" | undefined {
  const windows = /^cudart64_(\d{2,3})\.dll$/i.exec(file);
  if (windows) return windowsVersion(windows[1]!);
  const linux = /^libcudart(?:-[0-9a-f]+)?\.so((?:\.\d{1,4}){0,4})$/.exec(file);
  return linux ? linuxVersion(linux[1]!.split(".").slice(1).map(Number)) : undefined;
}

/** 101 is 10.1; 110 stands for every 11.x; from 12 on there is the major alone. */
function windowsVersion(digits: string): FileVersion {
  if (digits.length === 2) return { major: Number(digits) };
  const major = Number(digits.slice(0, 2));
  return major >= 11 ? { major } : { major, minor: Number(digits.slice(2)) };
}

function linuxVersion(parts: readonly number[]): FileVersion | "unknown" {
  const [major, minor] = parts;
  if (major === undefined || major === 0) return "unknown";
  return minor === undefined || (major >= 11 && parts.length < 3) ? { major } : { major, minor };
}

/** A runtime by its path, with the minor that the name behind its links tells. Undefined when it is none. */
export async function runtimeAt(
  world: Pick<World, "platform" | "realPath">,
  path: string,
  loaded: boolean,
): Promise<RuntimeFile | undefined> {
  if (cudartVersion(fileOf(world.platform, path)) === undefined) return undefined;
  const real = await world.realPath(path).catch(() => path);
  const named = [real, path].map((each) => cudartVersion(fileOf(world.platform, each)));
  const version = named.find((each) => typeof each === "object");
  return { path: real, loaded, ...(version && { version }) };
}

export const isLibcuda = (file: string): boolean => /^(?:libcuda\.so(?:\.[\d.]+)?|nvcuda\.dll)$/i.test(file);

/** One of each path, those that are loaded first. */
export function distinctRuntimes(runtimes: readonly RuntimeFile[]): RuntimeFile[] {
  const byPath = new Map<string, RuntimeFile>();
  for (const runtime of [...runtimes].sort((a, b) => Number(b.loaded) - Number(a.loaded)))
    if (!byPath.has(runtime.path)) byPath.set(runtime.path, runtime);
  return [...byPath.values()];
}

export const sayRuntime = ({ path, version }: RuntimeFile): string => {
  const number = version ? [version.major, version.minor ?? "x"].join(".") : "of unknown version";
  return `${number} (${path})`;
};

export const sayLibraries = ({ runtimes, drivers }: LibraryFiles): string | null => {
  const said = [
    runtimes.length > 0 ? `libcudart ${runtimes.slice(0, 8).map(sayRuntime).join(", ")}` : "",
    drivers.length > 0 ? `libcuda ${drivers.slice(0, 4).join(", ")}` : "",
  ].filter((part) => part !== "");
  return said.length === 0 ? null : said.join("; ");
};
