/**
 * Every versioned library that lies where libraries may lie: this package's folders, the user's store, HALFBYTE_LIBRARY_PATH. Known by
 * their manifests; none is read or loaded, so that looking is quick. What speaks against a file goes with it as its refusal.
 */
import { basename } from "node:path";
import { listLibraries } from "@halfbyte/native";
import { describedLibrary } from "./described-library.js";
import { parseLibraryFile } from "./library-name.js";
import { ownFolders } from "./own-folders.js";
import type { SelectableLibrary } from "./selection.js";
import type { World } from "./world.js";

export interface FindOptions {
  /** Folders that stand before the user's store and the named ones; those of this package unless told otherwise. */
  readonly folders?: readonly string[];
}

/** In the order of the places: of equal versions the first is taken. Never rejects. */
export async function findLibraries(
  world: Pick<World, "platform" | "arch" | "env" | "loadedLibraries">,
  { folders = ownFolders() }: FindOptions = {},
): Promise<SelectableLibrary[]> {
  const files = listLibraries((file) => parseLibraryFile(file) !== undefined, folders, world.env);
  const libraries = files.map((file) => describedLibrary(file, parseLibraryFile(basename(file.path))!, world));
  if (libraries.every(({ linkage }) => linkage === "static")) return libraries;
  const loaded = await world.loadedLibraries().catch(() => []);
  return libraries.map((library) =>
    withUnmet(
      library,
      loaded.map((path) => basename(path)),
    ),
  );
}

/** A library that takes its CUDA from the process cannot have another major than what is loaded already. */
function withUnmet(library: SelectableLibrary, loaded: readonly string[]): SelectableLibrary {
  const { linkage, needs = [] } = library;
  if (linkage === "static") return library;
  const unmet = needs.flatMap((need) => {
    const other = loaded.find((file) => isOtherMajor(need, file));
    return other === undefined ? [] : `${need} (${other} is loaded)`;
  });
  return unmet.length === 0 ? library : { ...library, unmet };
}

/** libcublasLt.so.11 where libcublasLt.so.12 is needed. */
function isOtherMajor(need: string, file: string): boolean {
  const [wanted, found] = [sonameOf(need), sonameOf(file)];
  return wanted !== undefined && wanted.stem === found?.stem && wanted.major !== found.major;
}

function sonameOf(file: string): { stem: string; major: string } | undefined {
  const match = /^(lib(?:cu|nv|roc|hip)[\w-]*\.so)\.(\d+)/.exec(file);
  return match ? { stem: match[1]!, major: match[2]! } : undefined;
}
