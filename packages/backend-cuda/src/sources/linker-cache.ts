/** The cache of the system's loader, as ldconfig prints it: CUDA runtimes and drivers that could be loaded, duplicates included. */
import { type AskOptions, type Detector, ignored, type Role, used } from "../detector.js";
import { distinctRuntimes, fileOf, isLibcuda, type LibraryFiles, runtimeAt, sayLibraries } from "../runtime-file.js";
import type { World } from "../world.js";

/** Its folder is not on the path of ordinary users. */
const programs = ["/sbin/ldconfig", "/usr/sbin/ldconfig"];
/** More than any cache holds. */
const mostText = 4 * 1024 * 1024;
const longestLine = 4096;
const mostPaths = 64;

export const linkerCache: Detector<LibraryFiles> = {
  name: "ldconfig",
  depth: "full",
  async find(world, options) {
    if (world.platform !== "linux") return undefined;
    const text = await cacheText(world, options);
    if (text === undefined) return undefined;
    const paths = pathsIn(text.slice(0, mostText));
    const runtimes = await Promise.all(paths.map((path) => runtimeAt(world, path, false)));
    return {
      runtimes: distinctRuntimes(runtimes.filter((runtime) => runtime !== undefined)),
      drivers: paths.filter((path) => isLibcuda(fileOf(world.platform, path))),
    };
  },
  value: sayLibraries,
  role: (found) => diskRole(found, "there is no ldconfig here"),
};

/** Libraries of ours link their runtime statically: what lies about matters to others, and to a person who looks for duplicates. */
export function diskRole(found: LibraryFiles | undefined, absent: string): Role {
  if (!found) return ignored(absent);
  if (found.runtimes.length > 0) return used("which runtimes a dynamically linked library could load, and duplicates");
  return ignored(found.drivers.length > 0 ? "it names no CUDA runtime" : "it names no CUDA library");
}

async function cacheText(world: World, { limitMs, signal }: AskOptions): Promise<string | undefined> {
  for (const program of programs) {
    try {
      const { code, stdout, stderr } = await world.run(program, ["-p"], { limitMs, signal });
      if (code === 0) return stdout;
      throw new Error(`ldconfig -p ended with code ${code}: ${stderr.slice(0, 200)}`);
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
    }
  }
  return undefined;
}

/** "\tlibcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12" */
function pathsIn(text: string): string[] {
  const lines = text.split("\n").filter((line) => line.length < longestLine && line.includes("libcuda"));
  const paths = lines.slice(0, mostPaths).map((line) => / \([^)]*\) => (\/.*)$/.exec(line)?.[1]?.trim());
  return [...new Set(paths.filter((path) => path !== undefined))];
}
