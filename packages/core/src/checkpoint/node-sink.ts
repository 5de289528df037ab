/**
 * Output on disk that is complete or absent. Work goes to `<out>.partial-<pid>`; every file is flushed, then the folder (or
 * file) is renamed. What a killed run left behind is removed by the next one. Node only.
 */
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type ErrorCode, halfbyteError, isHalfbyteError, messageOf } from "../errors.js";
import { log } from "../logger.js";
import { checkFileName } from "./file-name.js";
import type { Sink, SinkFile } from "./sink.js";

export interface DiskSinkOptions {
  /** Replace an existing destination, which is kept under another name until the new one stands. */
  readonly force?: boolean;
}

/** A new folder. Throws OUTPUT_EXISTS, DESTINATION_NOT_WRITABLE or DESTINATION_FULL. */
export async function folderSink(path: string, options: DiskSinkOptions = {}): Promise<Sink> {
  const partial = await preparePartial(resolve(path), options);
  await guarded(path, () => mkdir(partial));
  return new DiskSink(resolve(path), partial, options, (name) => join(partial, name));
}

/** A single file: whatever name the writer chooses, it becomes `path`. */
export async function singleFileSink(path: string, options: DiskSinkOptions = {}): Promise<Sink> {
  const partial = await preparePartial(resolve(path), options);
  return new DiskSink(resolve(path), partial, options, () => partial);
}

/** Checks the destination and removes leftovers of dead processes; returns the name to work under. */
async function preparePartial(destination: string, { force = false }: DiskSinkOptions): Promise<string> {
  if (!force && (await exists(destination))) throw outputExists(destination);
  await guarded(destination, () => makeFolder(dirname(destination)));
  await removeStale(destination);
  return `${destination}.partial-${process.pid}`;
}

function outputExists(path: string): Error {
  return halfbyteError("OUTPUT_EXISTS", `${path} exists.`, { details: { file: path } });
}

/** Parents first. Node's own recursive mkdir never returns below /proc, where creating anything is "no such file". */
async function makeFolder(path: string): Promise<void> {
  if (await exists(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path);
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function removeStale(destination: string): Promise<void> {
  const prefix = `${basename(destination)}.partial-`;
  for (const name of await guarded(destination, () => readdir(dirname(destination)))) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
    if (!Number.isSafeInteger(pid) || isRunning(pid)) continue;
    log("warn", `removing ${join(dirname(destination), name)}, left behind by an interrupted run.`);
    await guarded(destination, () => rm(join(dirname(destination), name), { recursive: true, force: true }));
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // EPERM: it runs, and belongs to somebody else.
    return (thrown as { code?: string }).code === "EPERM";
  }
}

class DiskSink implements Sink {
  readonly #open = new Set<DiskFile>();

  constructor(
    readonly name: string,
    readonly partial: string,
    readonly options: DiskSinkOptions,
    readonly pathOf: (name: string) => string,
  ) {}

  async create(name: string): Promise<SinkFile> {
    checkFileName(name);
    const path = this.pathOf(name);
    const file = new DiskFile(path, await guarded(path, () => open(path, "w")), () => this.#open.delete(file));
    this.#open.add(file);
    return file;
  }

  async commit(): Promise<void> {
    await syncFolder(this.partial);
    const old = this.options.force && (await exists(this.name)) ? `${this.name}.old-${Date.now()}` : undefined;
    if (old) await guarded(this.name, () => rename(this.name, old));
    else if (await exists(this.name)) throw outputExists(this.name);
    await guarded(this.name, () => rename(this.partial, this.name).catch((thrown) => restore(old, this.name, thrown)));
    await syncFolder(dirname(this.name));
    if (old) await rm(old, { recursive: true, force: true });
  }

  async abort(): Promise<void> {
    for (const file of [...this.#open]) await file.close().catch(() => undefined);
    await rm(this.partial, { recursive: true, force: true });
  }
}

/** Puts the old destination back in its place. */
async function restore(old: string | undefined, name: string, thrown: unknown): Promise<never> {
  if (old) await rename(old, name);
  throw thrown;
}

class DiskFile implements SinkFile {
  #closed = false;

  constructor(
    readonly path: string,
    readonly handle: FileHandle,
    readonly closed: () => void,
  ) {}

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return guarded(this.path, async () => {
      for (let done = 0; done < bytes.byteLength; ) {
        done += (await this.handle.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
      }
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.closed();
    try {
      await guarded(this.path, () => this.handle.sync());
    } finally {
      await this.handle.close();
    }
  }
}

/** Makes a rename durable. Windows cannot open folders; a file was flushed when it was closed. */
async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    await handle.sync().finally(() => handle.close());
  } catch (thrown) {
    log("debug", `could not flush ${path}: ${messageOf(thrown)}`);
  }
}

const codes: Readonly<Record<string, ErrorCode>> = {
  EACCES: "DESTINATION_NOT_WRITABLE",
  EPERM: "DESTINATION_NOT_WRITABLE",
  EROFS: "DESTINATION_NOT_WRITABLE",
  ENOENT: "DESTINATION_NOT_WRITABLE",
  ENOTDIR: "DESTINATION_NOT_WRITABLE",
  EEXIST: "DESTINATION_NOT_WRITABLE",
  EISDIR: "DESTINATION_NOT_WRITABLE",
  ENOSPC: "DESTINATION_FULL",
  EDQUOT: "DESTINATION_FULL",
  EFBIG: "DESTINATION_FULL",
};

/** Runs a file operation; its system error becomes a typed one. */
async function guarded<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (isHalfbyteError(cause)) throw cause;
    const code = codes[(cause as { code?: string }).code ?? ""] ?? "WRITE_FAILED";
    throw halfbyteError(code, `Cannot write ${path}: ${messageOf(cause)}`, { cause, details: { file: path } });
  }
}
