/** A machine out of a plain object: its files, programs, libraries, and what a process that starts the driver says. */
import { posix } from "node:path";
import type { ScriptEnding } from "@halfbyte/native";
import type { DeviceQuestion } from "../../src/device-report.js";
import type { FileStamp, RunResult, SystemLibrary, World } from "../../src/world.js";

type LibraryFunction = (...args: never[]) => number;

export interface RecordedLibrary {
  /** The file behind the name. */
  readonly path: string;
  readonly functions?: Readonly<Record<string, LibraryFunction>>;
}

export interface Recording {
  readonly platform?: NodeJS.Platform;
  readonly arch?: string;
  readonly node?: string;
  readonly libc?: World["libc"];
  readonly env?: Readonly<Record<string, string>>;
  readonly application?: string;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** From a file or folder to what it stands for. */
  readonly links?: Readonly<Record<string, string>>;
  /** What a command line prints. A program that is in none of them is not there. */
  readonly programs?: Readonly<Record<string, Partial<RunResult>>>;
  /** By the names under which the loader finds them. */
  readonly libraries?: Readonly<Record<string, RecordedLibrary>>;
  /** What the process says, line by line, that lists the GPUs. */
  readonly lists?: Readonly<Partial<Record<DeviceQuestion["by"], readonly object[] | Partial<ScriptEnding>>>>;
  readonly loaded?: readonly string[];
}

export function recordedWorld(recording: Recording, changes: Partial<World> = {}): World {
  const { files = {}, links = {}, libraries = {}, lists = {}, loaded = [] } = recording;
  const real = (path: string): string => follow(posix.normalize(path), links);
  const bytesOf = (path: string): Uint8Array => {
    const content = files[real(path)];
    if (content === undefined) throw systemError("ENOENT", "open", path);
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  return {
    platform: recording.platform ?? "linux",
    arch: recording.arch ?? "x64",
    node: recording.node ?? "22.12.0",
    env: recording.env ?? {},
    libc: recording.libc ?? { kind: "glibc", version: "2.35" },
    application: recording.application ?? "/srv/app",
    readText: async (path) => new TextDecoder().decode(bytesOf(path)),
    readBytes: async (path, offset, length) => bytesOf(path).slice(offset, offset + length),
    stamp: async (path): Promise<FileStamp> => ({ size: bytesOf(path).length, mtimeMs: 0, inode: 1 }),
    list: async (folder) => namesIn(real(folder), [...Object.keys(files), ...Object.keys(links)]),
    realPath: async (path) => existing(real(path), Object.keys(files)),
    run: async (program, args) => printed(program, args, recording.programs ?? {}),
    openLibrary: (name) => opened(name, libraries),
    listDevices: async ({ by }) => ending(lists[by] ?? []),
    loadedLibraries: async () => loaded,
    ...changes,
  };
}

export const systemError = (code: string, call: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${call} '${path}'`), { code });

/** Links are followed from the front, folder by folder. */
function follow(path: string, links: Readonly<Record<string, string>>): string {
  let known = "/";
  for (const part of path.split("/").filter((each) => each !== "")) {
    known = posix.join(known, part);
    for (let hops = 0; links[known] !== undefined && hops < 40; hops++) known = links[known]!;
  }
  return known;
}

function existing(path: string, files: readonly string[]): string {
  if (!files.some((file) => file === path || file.startsWith(`${path}/`)))
    throw systemError("ENOENT", "realpath", path);
  return path;
}

function namesIn(folder: string, paths: readonly string[]): string[] {
  const inside = paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
  if (inside.length === 0) throw systemError("ENOENT", "scandir", folder);
  return [...new Set(inside.map((path) => path.split("/", 1)[0]!))].sort();
}

function printed(program: string, args: readonly string[], programs: NonNullable<Recording["programs"]>): RunResult {
  const line = [program, ...args].join(" ");
  const known = Object.keys(programs).some((each) => each === program || each.startsWith(`${program} `));
  if (!known) throw systemError("ENOENT", "spawn", program);
  return { code: 0, stdout: "", stderr: "", ...(programs[line] ?? { code: 2, stderr: `unknown option: ${line}` }) };
}

function opened(name: string, libraries: NonNullable<Recording["libraries"]>): SystemLibrary {
  const library = libraries[name];
  if (!library)
    throw new Error("Failed to load shared library: cannot open shared object file: No such file or directory");
  const call: SystemLibrary["call"] = (called, _signature, ...args) => {
    const found = library.functions?.[called] as ((...args: readonly unknown[]) => number) | undefined;
    if (!found) throw new Error(`Cannot find function '${called}' in shared library`);
    return found(...args);
  };
  return { path: library.path, call };
}

/** The lines, and an end without trouble unless another is recorded. */
export function ending(recorded: readonly object[] | Partial<ScriptEnding>): ScriptEnding {
  const peaceful = { said: "", code: 0, signal: null, timedOut: false, stderr: "" };
  if (!Array.isArray(recorded)) return { ...peaceful, ...recorded };
  return { ...peaceful, said: [...recorded, { step: "closing" }].map((line) => `${JSON.stringify(line)}\n`).join("") };
}

/** libcuda whose cuDriverGetVersion gives this number. */
export const libcudaOf = (path: string, number: number, status = 0): RecordedLibrary => ({
  path,
  functions: {
    cuDriverGetVersion: (out: Int32Array) => {
      out[0] = number;
      return status;
    },
  },
});
