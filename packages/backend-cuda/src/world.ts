/** Everything the detector touches of the machine. Tests put a recorded one in its place, or one that hangs and lies. */
import type { ScriptEnding } from "@halfbyte/native";
import type { DeviceQuestion } from "./device-report.js";
import type { Environment } from "./override.js";

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Functions of a system library by name; each takes numbers, strings and typed arrays (out parameters) and returns its status. The
 * signature lists the types of the parameters as C writes them: "uint32_t, uint64_t *". Throws when there is no such function.
 */
export interface SystemLibrary {
  readonly path: string;
  call(name: string, signature: string, ...args: readonly unknown[]): number;
}

/** What changes when a file is written or replaced. */
export interface FileStamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

export interface World {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** process.versions.node, or what stands in for it. */
  readonly node: string;
  readonly env: Environment;
  /** The C library of this process. */
  readonly libc: { readonly kind: "glibc" | "musl" | "none"; readonly version?: string };
  /** The folder from which the application's packages are resolved. */
  readonly application: string;
  /** Rejects like fs.promises. */
  readText(path: string): Promise<string>;
  readBytes(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Links followed. */
  stamp(path: string): Promise<FileStamp>;
  /** Names in a folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Links followed. */
  realPath(path: string): Promise<string>;
  /** Never through a shell; rejects when the program is not there or its time is up. */
  run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult>;
  /** By soname or path, as the system's loader finds it; throws when it does not. Its path is that of the file behind the name. */
  openLibrary(name: string): SystemLibrary;
  /** Has a process of its own start the driver and list the GPUs. Rejects where none can be started. */
  listDevices(question: DeviceQuestion, options: RunOptions): Promise<ScriptEnding>;
  /** Paths of the libraries mapped into this process, with what the system adds to them, such as " (deleted)". */
  loadedLibraries(): Promise<readonly string[]>;
}
