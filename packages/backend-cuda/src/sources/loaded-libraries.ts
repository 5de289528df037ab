/** The libraries in this process: what a framework really loaded. A runtime that is linked statically does not show. */
import { type Context, type Detector, ignored, type Role, used } from "../detector.js";
import { fileOf, isLibcuda, type LibraryFiles, runtimeAt, sayLibraries } from "../runtime-file.js";

export interface LoadedFinding extends LibraryFiles {
  /** Libraries of frameworks that speak CUDA. */
  readonly frameworks: readonly string[];
  /** Loaded, and replaced on disk since. */
  readonly deleted: readonly string[];
}

/** Files that a framework loads for CUDA, and only then. */
const frameworkFile = /^(?:lib)?onnxruntime_providers_cuda\.(?:so|dll)$|^libtensorflow(?:_framework|_cc)?\.so/;
/** More mappings than any process has. */
const mostPaths = 100_000;
const deletedMark = / \(deleted\)$/;

export const loadedLibraries: Detector<LoadedFinding> = {
  name: "loaded libraries",
  depth: "quick",
  async find(world) {
    const mapped = (await world.loadedLibraries()).slice(0, mostPaths);
    const file = (path: string): string => fileOf(world.platform, path);
    const paths = [...new Set(mapped.map((path) => path.replace(deletedMark, "")))];
    const runtimes = await Promise.all(paths.map((path) => runtimeAt(world, path, true)));
    const drivers = paths.filter((path) => isLibcuda(file(path)));
    const frameworks = paths.filter((path) => frameworkFile.test(file(path)));
    const known = [...runtimes.flatMap((runtime) => runtime?.path ?? []), ...drivers, ...frameworks];
    const deleted = mapped.filter((path) => deletedMark.test(path)).map((path) => path.replace(deletedMark, ""));
    return {
      runtimes: runtimes.filter((runtime) => runtime !== undefined),
      drivers,
      frameworks,
      deleted: deleted.filter((path) => known.includes(path)),
    };
  },
  value: (found) => [sayLibraries(found), ...found.frameworks].filter(Boolean).join("; ") || null,
  trouble: ({ deleted }) =>
    deleted.length === 0 ? undefined : `replaced on disk since they were loaded: ${deleted.slice(0, 4).join(", ")}`,
  role: roleOf,
};

function roleOf(found: LoadedFinding | undefined, { facts }: Context): Role {
  if (!found || (found.runtimes.length === 0 && found.frameworks.length === 0))
    return ignored("no CUDA runtime and no framework that uses one is loaded in this process");
  return facts.host ? used("which CUDA the frameworks of this process have") : ignored("no framework is known by it");
}
