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
/** Electron's archive holds what the system's loader needs beside it. */
const outsideArchive = (path: string): string => path.replace(/\.asar(?=[\\/])/, ".asar.unpacked");

/** Undefined when the application has no such package. */
export async function applicationPackage(world: World, name: string): Promise<ApplicationPackage | undefined> {
  const { dirname, join } = world.platform === "win32" ? win32 : posix;
  let folder = world.application;
  for (let level = 0; level < mostLevels; level++) {
    const found = await inModules(world, join(folder, "node_modules"), name);
    if (found) return found;
    const above = dirname(folder);
    if (above === folder) return undefined;
    folder = above;
  }
  return undefined;
}

/** The package itself, one that another package of the application brought, or any of pnpm's store. */
async function inModules(world: World, modules: string, name: string): Promise<ApplicationPackage | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const direct = await packageAt(world, join(modules, name));
  if (direct) return { ...direct, indirect: false };
  const store = join(modules, ".pnpm");
  const hoisted = await packageAt(world, join(store, "node_modules", name));
  if (hoisted) return { ...hoisted, indirect: true };
  const entries = await world.list(store).catch(() => []);
  const prefix = `${name.replace("/", "+")}@`;
  for (const entry of entries.filter((each) => each.startsWith(prefix)).slice(0, 16)) {
    const found = await packageAt(world, join(store, entry, "node_modules", name));
    if (found) return { ...found, indirect: true };
  }
  return undefined;
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
