/** The machine that this process runs on. */
import { execFile } from "node:child_process";
import { constants, realpathSync } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { listDevices } from "./device-list-process.js";
import { cLibrary, loadedLibraries } from "./loaded-libraries.js";
import { openSystemLibrary } from "./system-library.js";
import type { RunOptions, RunResult, SystemLibrary, World } from "./world.js";

export interface NodeWorldOptions {
  /** The folder from which packages are resolved. Default: that of the program, or the current one for a program in node_modules. */
  readonly application?: string;
}

export function nodeWorld(options: NodeWorldOptions = {}): World {
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
    env: process.env,
    libc: cLibrary(),
    application: options.application ?? applicationFolder(),
    readText,
    readBytes,
    stamp,
    list: (folder) => readdir(folder),
    realPath: (path) => realpath(path),
    run,
    openLibrary,
    listDevices,
    loadedLibraries: async () => loadedLibraries(),
  };
}

/** A command line tool lies in somebody's node_modules; what it is asked about is where it is called. */
function applicationFolder(): string {
  const here = process.env["INIT_CWD"] || process.cwd();
  try {
    const program = realpathSync(process.argv[1] ?? "");
    return /[\\/]node_modules[\\/]/.test(program) ? here : dirname(program);
  } catch {
    return here;
  }
}

/** Nothing that is looked for stands further on. */
const mostText = 1024 * 1024;

async function readText(path: string): Promise<string> {
  return Buffer.from(await readBytes(path, 0, mostText)).toString("utf8");
}

/** Fewer bytes where the file ends. A pipe or a device that gives nothing must not be waited for. */
async function readBytes(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const parts: Buffer[] = [];
    for (let at = 0; at < length; ) {
      // Most files that are read are a line.
      const part = Buffer.allocUnsafe(Math.min(length - at, at === 0 ? 4 * 1024 : 64 * 1024));
      const { bytesRead } = await file.read(part, 0, part.length, offset + at);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
      at += bytesRead;
    }
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
}

async function stamp(path: string) {
  const { size, mtimeMs, ino } = await stat(path);
  return { size, mtimeMs, inode: ino };
}

const mostOutput = 16 * 1024 * 1024;

function run(program: string, args: readonly string[], { limitMs, signal }: RunOptions): Promise<RunResult> {
  const options = { timeout: limitMs, killSignal: "SIGKILL", maxBuffer: mostOutput, windowsHide: true } as const;
  return new Promise((resolve, reject) => {
    const done = (error: unknown, stdout: string, stderr: string): void => {
      const { code, killed } = (error ?? { code: 0 }) as { code?: unknown; killed?: boolean };
      if (typeof code === "number" && !killed) resolve({ code, stdout, stderr });
      else reject(killed ? new Error(`${program} did not answer within ${limitMs} ms.`) : error);
    };
    execFile(program, args, { ...options, ...(signal && { signal }) }, done);
  });
}

/** The loader does not tell which file it found by a name; the process's mappings do. */
function openLibrary(name: string): SystemLibrary {
  const library = openSystemLibrary(name);
  if (process.platform !== "linux") return library;
  const stem = `${basename(name).replace(/\.so.*$/, "")}.so`;
  const mapped = loadedLibraries().find((path) => basename(path).startsWith(stem));
  return mapped === undefined ? library : { ...library, path: mapped };
}
