/** A package as the application would find it: node_modules from its folder upward, pnpm's stores included. */
import { posix, win32 } from "node:path";
import { textOrNone } from "./exists.js";
import { headOf } from "./plain-text.js";
import type { World } from "./world.js";

export interface ApplicationPackage {
  readonly folder: string;
  readonly version: string;
  /** Only the package manager's store has it: another package brought it, maybe one of another application. */
  readonly indirect: boolean;
}

/** More levels than any path has. */
const mostLevels = 64;
/** Copies of one package in a store. */
const mostVersions = 16;
/** Electron's archive holds what the system's loader needs beside it. */
const outsideArchive = (path: string): string => path.replace(/\.asar(?=[\\/])/, ".asar.unpacked");

/** Undefined when the application has no such package. All places are looked at together; the nearest that has it counts. */
export async function applicationPackage(world: World, name: string): Promise<ApplicationPackage | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const places = foldersUpward(world).map((folder) => inModules(world, join(folder, "node_modules"), name));
  return (await Promise.all(places)).find((found) => found !== undefined);
}

function foldersUpward({ platform, application }: World): string[] {
  const { dirname } = platform === "win32" ? win32 : posix;
  const folders = [application];
  for (
    let above = dirname(application);
    above !== folders.at(-1) && folders.length < mostLevels;
    above = dirname(above)
  )
    folders.push(above);
  return folders;
}

/** The package itself, one that another package of the application brought, or any of pnpm's store. */
async function inModules(world: World, modules: string, name: string): Promise<ApplicationPackage | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const store = join(modules, ".pnpm");
  const [direct, hoisted, entries] = await Promise.all([
    packageAt(world, join(modules, name)),
    packageAt(world, join(store, "node_modules", name)),
    world.list(store).catch(() => []),
  ]);
  if (direct) return { ...direct, indirect: false };
  if (hoisted) return { ...hoisted, indirect: true };
  const prefix = `${name.replace("/", "+")}@`;
  const mine = entries.filter((entry) => entry.startsWith(prefix)).slice(0, mostVersions);
  const stored = await Promise.all(mine.map((entry) => packageAt(world, join(store, entry, "node_modules", name))));
  const found = stored.find((each) => each !== undefined);
  return found && { ...found, indirect: true };
}

async function packageAt(world: World, folder: string): Promise<Omit<ApplicationPackage, "indirect"> | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const text = await textOrNone(world, join(folder, "package.json"));
  if (text === undefined) return undefined;
  const real = await world.realPath(folder).catch(() => folder);
  return { folder: outsideArchive(real), version: versionOf(text) };
}

function versionOf(text: string): string {
  const unknown = "of unknown version";
  try {
    const { version } = JSON.parse(headOf(text)) as { version?: unknown };
    return typeof version === "string" && /^[\w.+-]{1,64}$/.test(version) ? version : unknown;
  } catch {
    return unknown;
  }
}
