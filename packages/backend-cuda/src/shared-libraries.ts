/**
 * Which shared libraries a library would get, as `ldd` tells it, without running anything of it: the names come from the ELF files, the
 * folders are those that the loader of Linux looks through, in its order.
 */
import { messageOf } from "@halfbyte/core";
import { type ElfDependencies, elfDependencies } from "./elf-needed.js";
import type { World } from "./world.js";

export interface SharedLibrary {
  readonly name: string;
  /** Null: it is nowhere. */
  readonly path: string | null;
  /** The file that names it, by its own name. */
  readonly neededBy: string;
}

export interface Dependencies {
  readonly path: string;
  /** Those of the library, then those of its libraries; each once. */
  readonly needs: readonly SharedLibrary[];
  readonly missing: readonly string[];
  /** Why nothing could be told. */
  readonly error: string | null;
}

type Found = ReadonlyMap<string, string>;

/** The loader's folders, which no file names. */
const usual = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/** How `ldconfig -p` writes the processor. */
const cacheWords: Readonly<Record<string, string>> = { x64: "x86-64", arm64: "AArch64" };
const ldconfigLimitMs = 3_000;

/** Of several libraries, which share most of what they need. */
export async function dependenciesOf(world: World, paths: readonly string[], signal?: AbortSignal) {
  if (world.platform !== "linux") return paths.map((path) => untold(path, `not looked at on ${world.platform}`));
  const search = new LibrarySearch(world, await cachedLibraries(world, signal), await loadedByName(world));
  return Promise.all(paths.map((path) => dependencies(search, path)));
}

const untold = (path: string, error: string): Dependencies => ({ path, needs: [], missing: [], error });

async function dependencies(search: LibrarySearch, path: string): Promise<Dependencies> {
  try {
    const needs = await closure(search, path);
    return { path, needs, missing: needs.filter((need) => need.path === null).map(({ name }) => name), error: null };
  } catch (thrown) {
    return untold(path, messageOf(thrown));
  }
}

/** Breadth first, as the loader goes. */
async function closure(search: LibrarySearch, path: string): Promise<SharedLibrary[]> {
  const needs = new Map<string, SharedLibrary>();
  const waiting: { readonly path: string; readonly section: ElfDependencies }[] = [
    { path, section: await search.section(path) },
  ];
  for (let file = waiting.shift(); file; file = waiting.shift())
    for (const name of file.section.needed) {
      if (needs.has(name)) continue;
      const found = await search.find(name, file.path, file.section);
      needs.set(name, { name, path: found ?? null, neededBy: baseName(file.path) });
      const section = found && (await search.section(found).catch(() => undefined));
      if (section) waiting.push({ path: found, section });
    }
  return [...needs.values()];
}

/** Looks through the folders, and reads each file once. */
class LibrarySearch {
  readonly #sections = new Map<string, Promise<ElfDependencies>>();
  readonly #environment: readonly string[];

  constructor(
    readonly world: World,
    readonly cache: Found,
    readonly loaded: Found,
  ) {
    this.#environment = (world.env["LD_LIBRARY_PATH"] ?? "").split(/[:;]/).filter((folder) => folder !== "");
  }

  section(path: string): Promise<ElfDependencies> {
    const known = this.#sections.get(path) ?? elfDependencies(this.world, path);
    this.#sections.set(path, known);
    return known;
  }

  async find(name: string, needer: string, { rpath, runpath, machine }: ElfDependencies): Promise<string | undefined> {
    if (name.includes("/")) return this.#first([name], machine);
    const loaded = this.loaded.get(name);
    if (loaded !== undefined) return loaded;
    const own = (folders: readonly string[]) => folders.map((one) => one.replace(/\$\{?ORIGIN\}?/, folderOf(needer)));
    const folders = [...(runpath.length > 0 ? [] : own(rpath)), ...this.#environment, ...own(runpath)];
    const inFolders = (all: readonly string[]) =>
      this.#first(
        all.map((folder) => `${folder}/${name}`),
        machine,
      );
    return (await inFolders(folders)) ?? this.cache.get(name) ?? inFolders(usual);
  }

  /** A file of another machine, or one that cannot be read, is passed over, as the loader does. */
  async #first(paths: readonly string[], machine: number): Promise<string | undefined> {
    for (const path of paths) {
      const section = await this.section(path).catch(() => undefined);
      if (section?.machine === machine) return path;
    }
    return undefined;
  }
}

/** Libraries of this process: the loader takes them before it looks anywhere. */
async function loadedByName(world: World): Promise<Found> {
  const mapped = await world.loadedLibraries().catch(() => []);
  const paths = mapped.filter((path) => path.startsWith("/") && !path.endsWith(" (deleted)"));
  const sections = await Promise.all(paths.map((path) => elfDependencies(world, path).catch(() => undefined)));
  return new Map(paths.flatMap((path, i) => [[baseName(path), path] as const, ...sonameOf(sections[i], path)]));
}

const sonameOf = (section: ElfDependencies | undefined, path: string): (readonly [string, string])[] =>
  section?.soname === undefined ? [] : [[section.soname, path]];

/** The loader's cache. Where it cannot be asked for, as on Alpine, the usual folders are all there is. */
async function cachedLibraries(world: World, signal: AbortSignal | undefined): Promise<Found> {
  const options = { limitMs: ldconfigLimitMs, ...(signal && { signal }) };
  for (const program of ["/sbin/ldconfig", "/usr/sbin/ldconfig"]) {
    try {
      const { code, stdout } = await world.run(program, ["-p"], options);
      if (code === 0) return parseLdconfig(stdout, world.arch);
    } catch {
      // Not there under this name.
    }
  }
  return new Map();
}

/** Of a name that stands twice, the first is taken. */
export function parseLdconfig(text: string, arch: string): Found {
  const word = cacheWords[arch] ?? arch;
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, flags, path] = /^\s*(\S+) \(([^)]*)\) => (\/.*)$/.exec(line) ?? [];
    if (name !== undefined && flags!.includes(word) && !found.has(name)) found.set(name, path!);
  }
  return found;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
