/** Files and folders on disk. Node only: re-exported by `@halfbyte/core/node`. */

import { type FileHandle, lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { halfbyteError, messageOf, throwIfAborted } from "../errors.js";
import { checkFileName } from "./file-name.js";
import { allocate, checkRange, readFailed, readThrew } from "./read-range.js";
import type { Repository, Source } from "./source.js";

/** A plain file, read by position; the size is that at opening. */
export async function fileSource(path: string): Promise<Source> {
  // Asked before opening: opening a named pipe would wait for a writer.
  const { size } = await plainFile(path);
  return new FileSource(path, size, await opened(path));
}

/**
 * The plain files directly inside a folder. Links may point to other files of the folder, or into the `blobs` folder of
 * the Hugging Face cache when the folder is one of its `snapshots`; others are listed, but `open` refuses them.
 */
export async function folderRepository(path: string): Promise<Repository> {
  const root = await realFolder(path);
  return {
    name: path,
    list: () => plainFilesOf(root),
    async open(file, signal) {
      checkFileName(file);
      throwIfAborted(signal, `Opening ${file}`);
      const target = await targetOf(join(root, file));
      if (!(await mayHold(root, target))) throw linkLeaves(file, target);
      return fileSource(target);
    },
  };
}

/** A single file as a repository of one. */
export async function fileRepository(path: string): Promise<Repository> {
  await plainFile(path);
  const only = basename(path);
  return {
    name: path,
    list: async () => [only],
    async open(file, signal) {
      checkFileName(file);
      throwIfAborted(signal, `Opening ${file}`);
      if (file !== only) throw notFound(join(dirname(path), file), `only ${only} was given`);
      return fileSource(path);
    },
  };
}

class FileSource implements Source {
  readonly name: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(name: string, size: number, handle: FileHandle) {
    this.name = name;
    this.size = size;
    this.#handle = handle;
  }

  async read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> {
    checkRange(this, offset, length, signal);
    const bytes = into && into.length >= length ? into.subarray(0, length) : allocate(this, length);
    for (let filled = 0; filled < length; ) {
      const count = await this.#readSome(bytes, filled, offset + filled);
      throwIfAborted(signal, `Reading ${this.name}`);
      if (count === 0) throw readFailed(this, offset, filled, length, "the file became shorter");
      filled += count;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #readSome(bytes: Uint8Array, filled: number, position: number): Promise<number> {
    const length = Math.min(bytes.length - filled, mostPerCall);
    try {
      return (await this.#handle.read(bytes, filled, length, position)).bytesRead;
    } catch (error) {
      throw readThrew(this, { offset: position, length }, error);
    }
  }
}

/** Small enough for every system call, and an abort is noticed in between. */
const mostPerCall = 64 * 2 ** 20;

async function plainFile(path: string): Promise<{ size: number }> {
  const found = await orNotFound(path, stat(path));
  if (found.isFile()) return found;
  throw notFound(path, found.isDirectory() ? "it is a folder" : "it is no plain file");
}

async function opened(path: string): Promise<FileHandle> {
  return orNotFound(path, open(path, "r"));
}

async function realFolder(path: string): Promise<string> {
  const found = await orNotFound(path, stat(path));
  if (!found.isDirectory()) throw notFound(path, "it is no folder");
  return realpath(path);
}

async function plainFilesOf(root: string): Promise<readonly string[]> {
  const entries = await orNotFound(root, readdir(root, { withFileTypes: true }));
  const kept = await Promise.all(
    entries.map(
      async (entry) => entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(join(root, entry.name)))),
    ),
  );
  return entries
    .filter((_, i) => kept[i])
    .map((entry) => entry.name)
    .sort();
}

async function leadsToFile(link: string): Promise<boolean> {
  return stat(link).then(
    (target) => target.isFile(),
    () => false,
  );
}

/** The file itself, or where the link in its place leads. */
async function targetOf(path: string): Promise<string> {
  const link = (await orNotFound(path, lstat(path))).isSymbolicLink();
  return link ? orNotFound(path, realpath(path)) : path;
}

async function mayHold(root: string, target: string): Promise<boolean> {
  if (target.startsWith(root.endsWith(sep) ? root : root + sep)) return true;
  const snapshots = dirname(root);
  if (basename(snapshots) !== "snapshots") return false;
  const blobs = await realpath(resolve(snapshots, "..", "blobs")).catch(() => undefined);
  return blobs === dirname(target);
}

async function orNotFound<T>(path: string, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (isMissing(error)) throw notFound(path, "there is no such file", error);
    throw halfbyteError("READ_FAILED", `Opening ${path} failed: ${messageOf(error)}.`, {
      details: { file: path },
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function notFound(path: string, why: string, cause?: unknown): Error {
  return halfbyteError("INPUT_NOT_FOUND", `${path} cannot be opened: ${why}.`, { details: { file: path }, cause });
}

function linkLeaves(file: string, target: string): Error {
  const message = `${JSON.stringify(file)} is a link out of the checkpoint's folder, to ${target}.`;
  return halfbyteError("SHARD_NAME_UNSAFE", message, {
    details: { file, found: target },
    remedy: "Copy the file into the folder.",
  });
}
