/**
 * Which shared libraries a library would get, as `ldd` tells it, without running anything of it: the names come from the ELF files, the
 * folders are those that the loader of Linux looks through, in its order.
 */
import { messageOf } from "@halfbyte/core";
import { type DynamicSection, readDynamicSection } from "./elf-dynamic.js";
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
  const waiting: { readonly path: string; readonly section: DynamicSection }[] = [
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
  readonly #sections = new Map<string, Promise<DynamicSection>>();
  readonly #environment: readonly string[];

  constructor(
    readonly world: World,
    readonly cache: Found,
    readonly loaded: Found,
  ) {
    this.#environment = (world.env["LD_LIBRARY_PATH"] ?? "").split(/[:;]/).filter((folder) => folder !== "");
  }

  section(path: string): Promise<DynamicSection> {
    const known = this.#sections.get(path) ?? readDynamicSection(this.world, path);
    this.#sections.set(path, known);
    return known;
  }

  async find(name: string, needer: string, { rpath, runpath }: DynamicSection): Promise<string | undefined> {
    if (name.includes("/")) return this.#first([name]);
    const own = (folders: readonly string[]) =>
      folders.map((folder) => folder.replace(/\$\{?ORIGIN\}?/, folderOf(needer)));
    const before = runpath.length > 0 ? [] : own(rpath);
    const named = await this.#first(
      [...before, ...this.#environment, ...own(runpath)].map((folder) => `${folder}/${name}`),
    );
    const known = this.loaded.get(name) ?? named ?? this.cache.get(name);
    return known ?? this.#first(usual.map((folder) => `${folder}/${name}`));
  }

  async #first(paths: readonly string[]): Promise<string | undefined> {
    for (const path of paths) {
      // A file of another word size or one that cannot be read is passed over, as the loader does.
      if (await this.section(path).then(Boolean, () => false)) return path;
    }
    return undefined;
  }
}

/** Libraries of this process: the loader takes them before it looks anywhere. */
async function loadedByName(world: World): Promise<Found> {
  const paths = await world.loadedLibraries().catch(() => []);
  const sections = await Promise.all(paths.map((path) => readDynamicSection(world, path).catch(() => undefined)));
  return new Map(paths.flatMap((path, i) => [[baseName(path), path] as const, ...sonameOf(sections[i], path)]));
}

const sonameOf = (section: DynamicSection | undefined, path: string): (readonly [string, string])[] =>
  section?.soname === undefined ? [] : [[section.soname, path]];

/** The loader's cache. Where it cannot be asked for, as on Alpine, the usual folders are all there is. */
async function cachedLibraries(world: World, signal: AbortSignal | undefined): Promise<Found> {
  const options = { limitMs: ldconfigLimitMs, ...(signal && { signal }) };
  for (const program of ["/sbin/ldconfig", "ldconfig"]) {
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
