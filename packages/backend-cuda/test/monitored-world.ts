/** A machine for the tests of the monitor: files, programs, libraries and what is loaded can change between two readings. */
import type { IsolatedLibrary, MonitoredWorld } from "../src/monitored-world.js";
import type { FileStamp, RunResult } from "../src/world.js";

export interface MonitoredMachine {
  platform: NodeJS.Platform;
  /** Contents by path. */
  files: Map<string, { readonly text: string; readonly inode: number }>;
  /** What each program does. */
  programs: Map<string, () => Promise<RunResult>>;
  libraries: Map<string, IsolatedLibrary>;
  loaded: string[];
  /** How often anything was read. */
  reads: string[];
}

let inodes = 0;

export const fileOf = (text: string): { readonly text: string; readonly inode: number } => ({ text, inode: ++inodes });

export function monitoredMachine(changes: Partial<MonitoredMachine> = {}): MonitoredMachine {
  return {
    platform: "linux",
    files: new Map(),
    programs: new Map(),
    libraries: new Map(),
    loaded: [],
    reads: [],
    ...changes,
  };
}

export function worldOf(machine: MonitoredMachine): MonitoredWorld {
  const file = (path: string) => {
    const found = machine.files.get(path);
    if (!found) throw Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: "ENOENT" });
    return found;
  };
  const libraryOf = (name: string): IsolatedLibrary => {
    const library = machine.libraries.get(name);
    if (!library) throw new Error("cannot open shared object file: No such file or directory");
    return library;
  };
  return {
    platform: machine.platform,
    arch: "x64",
    node: "22.0.0",
    env: {},
    libc: { kind: "glibc", version: "2.36" },
    application: "/app",
    readText: async (path) => file(path).text,
    readBytes: async (path, offset, length) => {
      machine.reads.push(path);
      return new TextEncoder().encode(file(path).text).slice(offset, offset + length);
    },
    stamp: async (path): Promise<FileStamp> => {
      const { text, inode } = file(path);
      return { size: text.length, mtimeMs: inode, inode };
    },
    list: async () => [],
    realPath: async (path) => path,
    run: async (program) => {
      const run = machine.programs.get(program);
      if (!run) throw Object.assign(new Error(`spawn ${program} ENOENT`), { code: "ENOENT" });
      return run();
    },
    openLibrary: (name) => ({ path: libraryOf(name).path, call: () => 0 }),
    isolateLibrary: async (name) => libraryOf(name),
    listDevices: () => Promise.reject(new Error("no process can be started")),
    loadedLibraries: async () => machine.loaded,
  };
}

export const printed = (stdout: string): (() => Promise<RunResult>) => {
  return async () => ({ code: 0, stdout, stderr: "" });
};
