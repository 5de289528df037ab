/** CUDA toolkits: they matter for building a library, and are mistaken for what runs. */
import { posix, win32 } from "node:path";
import { type Detector, ignored, used } from "../detector.js";
import { textOrNone } from "../exists.js";
import type { Toolkit } from "../machine-facts.js";
import { headOf } from "../plain-text.js";
import { formatVersion, parseVersion, type RuntimeVersion } from "../runtime-version.js";
import type { World } from "../world.js";

export interface ToolkitFinding {
  /** The one that variables or the path name comes first. */
  readonly toolkits: readonly Toolkit[];
}

const mostToolkits = 32;
const mostPathEntries = 128;

export const toolkit: Detector<ToolkitFinding> = {
  name: "toolkits",
  depth: "full",
  async find(world) {
    const [compilers, folders] = await Promise.all([onPath(world), installed(world)]);
    const [named, besideCompiler, usual] = await Promise.all(
      [namedByVariables(world), compilers, folders].map((places) => toolkitsIn(world, places)),
    );
    // An nvcc on the path may be a script that calls another one: then nothing beside it tells a version.
    const known = besideCompiler!.filter(({ version }) => version !== undefined);
    const byPath = new Map([...named!, ...known, ...usual!].map((each) => [each.path, each]));
    return byPath.size === 0 ? undefined : { toolkits: [...byPath.values()] };
  },
  value: ({ toolkits }) =>
    toolkits.map(({ path, version }) => `${version ? formatVersion(version) : "unknown version"} (${path})`).join(", "),
  role: (found) => (found ? used("building libraries; running them needs no toolkit") : ignored("there is none")),
};

/** CUDA_PATH_V12_4 is what Windows has for each. */
function namedByVariables({ env }: Pick<World, "env">): string[] {
  const numbered = Object.keys(env).filter((name) => /^CUDA_PATH_V\d+_\d+$/i.test(name));
  return ["CUDA_HOME", "CUDA_PATH", ...numbered.sort()].flatMap((name) => env[name] || []);
}

/** Where the nvcc of the PATH lives. */
async function onPath(world: World): Promise<string[]> {
  if (world.platform === "win32") return [];
  const entries = (world.env["PATH"] ?? "")
    .split(":")
    .filter((entry) => entry.startsWith("/"))
    .slice(0, mostPathEntries);
  const compilers = await Promise.all(entries.map((entry) => world.realPath(`${entry}/nvcc`).catch(() => undefined)));
  return compilers.flatMap((path) => (path === undefined ? [] : posix.dirname(posix.dirname(path))));
}

async function installed(world: World): Promise<string[]> {
  if (world.platform === "win32") return [];
  const names = await world.list("/usr/local").catch(() => []);
  const local = names.filter((name) => /^cuda(?:-\d{1,3}(?:\.\d{1,3})?)?$/.test(name)).sort();
  return [...local.map((name) => `/usr/local/${name}`), "/opt/cuda"];
}

async function toolkitsIn(world: World, folders: readonly string[]): Promise<Toolkit[]> {
  const found = await Promise.all(folders.slice(0, mostToolkits).map((folder) => toolkitAt(world, folder)));
  return found.filter((each) => each !== undefined);
}

/** Undefined where there is no toolkit: neither a version nor a compiler. */
async function toolkitAt(world: World, folder: string): Promise<Toolkit | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const path = await world.realPath(folder).catch(() => undefined);
  if (path === undefined) return undefined;
  const version = await versionOf(world, (...parts) => join(path, ...parts));
  if (version) return { path, version };
  const compiler = join(path, "bin", world.platform === "win32" ? "nvcc.exe" : "nvcc");
  const there = await world.realPath(compiler).catch(() => undefined);
  return there === undefined ? undefined : { path };
}

/** version.json since CUDA 11.1, version.txt before; the header where a toolkit was put together from packages. */
async function versionOf(world: World, at: (...parts: string[]) => string): Promise<RuntimeVersion | undefined> {
  const [json, text, header] = await Promise.all([
    textOrNone(world, at("version.json")),
    textOrNone(world, at("version.txt")),
    textOrNone(world, at("include", "cuda.h")),
  ]);
  const told = [ofJson(json), /^CUDA Version (\S+)/m.exec(headOf(text ?? ""))?.[1]];
  return told.map((each) => parseVersion(each ?? "")).find((each) => each !== undefined) ?? ofHeader(header);
}

function ofJson(text: string | undefined): string | undefined {
  try {
    const { cuda } = JSON.parse(headOf(text ?? "{}")) as { cuda?: { version?: unknown } };
    return typeof cuda?.version === "string" ? cuda.version : undefined;
  } catch {
    return undefined;
  }
}

function ofHeader(text: string | undefined): RuntimeVersion | undefined {
  const number = Number(/^#define CUDA_VERSION[ \t]+(\d{4,6})\b/m.exec(headOf(text ?? ""))?.[1] ?? 0);
  return number < 1000 ? undefined : { major: Math.floor(number / 1000), minor: Math.floor((number % 1000) / 10) };
}
