/** LD_LIBRARY_PATH, on Windows PATH: it goes before everything else, so stubs, cuda-compat and stale runtimes in it win. */
import { posix, win32 } from "node:path";
import type { Detector } from "../detector.js";
import { distinctRuntimes, fileOf, isLibcuda, type LibraryFiles, runtimeAt, sayLibraries } from "../runtime-file.js";
import type { World } from "../world.js";
import { diskRole } from "./linker-cache.js";

/** More folders than anybody sets. */
const mostFolders = 256;
const mostFiles = 64;

const variableOf = (platform: NodeJS.Platform): string => (platform === "win32" ? "PATH" : "LD_LIBRARY_PATH");

export const searchPath: Detector<LibraryFiles> = {
  name: "library search path",
  depth: "full",
  async find(world) {
    const folders = foldersOf(world);
    if (folders.length === 0) return undefined;
    const files = (await Promise.all(folders.map((folder) => cudaFiles(world, folder)))).flat().slice(0, mostFiles);
    const runtimes = await Promise.all(files.map((path) => runtimeAt(world, path, false)));
    return {
      runtimes: distinctRuntimes(runtimes.filter((runtime) => runtime !== undefined)),
      drivers: files.filter((path) => isLibcuda(fileOf(world.platform, path))),
    };
  },
  value: sayLibraries,
  role: (found, { world }) => diskRole(found, `${variableOf(world.platform)} is not set`),
};

function foldersOf(world: Pick<World, "platform" | "env">): string[] {
  const { delimiter, isAbsolute } = world.platform === "win32" ? win32 : posix;
  const entries = searched(world).split(delimiter);
  return [...new Set(entries.filter((entry) => isAbsolute(entry)))].slice(0, mostFolders);
}

/** Windows spells its variable Path, and does not mind. */
function searched({ platform, env }: Pick<World, "platform" | "env">): string {
  const name = variableOf(platform);
  const spelled = platform === "win32" ? Object.keys(env).find((each) => each.toUpperCase() === name) : name;
  return (spelled && env[spelled]) ?? "";
}

/** A folder that cannot be listed brings nothing. */
async function cudaFiles(world: World, folder: string): Promise<string[]> {
  const names = await world.list(folder).catch(() => []);
  const { join } = world.platform === "win32" ? win32 : posix;
  return names
    .filter((name) => /^(?:libcudart|cudart64_|libcuda\.so|nvcuda\.dll)/i.test(name))
    .map((name) => join(folder, name));
}
