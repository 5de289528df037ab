/**
 * Where a result lies until it is saved: a folder of the browser's own file system, so that a model needs no memory, or memory where a
 * browser has none or refuses it. Folders of tabs that were closed are removed by the next tab.
 */
import { directorySink, memorySink, type Sink } from "@halfbyte/core";
import type { ResultFile } from "./quantize-calls.js";

export interface Scratch {
  readonly kept: "disk" | "memory";
  readonly sink: Sink;
  /** After the sink was committed. */
  files(): Promise<ResultFile[]>;
  remove(): Promise<void>;
}

const folderName = "halfbyte-results";

export async function openScratch(): Promise<Scratch> {
  try {
    return await diskScratch();
  } catch {
    // Private windows and old browsers: memory does as long as it lasts.
    return memoryScratch();
  }
}

async function diskScratch(): Promise<Scratch> {
  if (!("createWritable" in FileSystemFileHandle.prototype)) return memoryScratch();
  const results = await (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
  await removeLeftovers(results);
  const name = crypto.randomUUID();
  const release = await hold(name);
  const folder = await results.getDirectoryHandle(name, { create: true });
  return {
    kept: "disk",
    sink: directorySink(folder),
    files: () => filesOf(folder),
    async remove() {
      await results.removeEntry(name, { recursive: true }).catch(() => undefined);
      release();
    },
  };
}

async function filesOf(folder: FileSystemDirectoryHandle): Promise<ResultFile[]> {
  const files: ResultFile[] = [];
  for await (const handle of folder.values())
    if (handle.kind === "file")
      files.push({ name: handle.name, file: await (handle as FileSystemFileHandle).getFile() });
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A lock lasts as long as the worker: a folder without one belongs to nobody. */
function hold(name: string): Promise<() => void> {
  return new Promise((held, failed) => {
    const locked = () => new Promise<void>((release) => held(release));
    navigator.locks.request(lockOf(name), locked).catch(failed);
  });
}

const lockOf = (name: string): string => `${folderName}/${name}`;

async function removeLeftovers(results: FileSystemDirectoryHandle): Promise<void> {
  const { held = [] } = await navigator.locks.query();
  const owned = new Set(held.map((lock) => lock.name));
  for await (const { name } of results.values())
    if (!owned.has(lockOf(name))) await results.removeEntry(name, { recursive: true }).catch(() => undefined);
}

function memoryScratch(): Scratch {
  const sink = memorySink();
  const blobOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]);
  return {
    kept: "memory",
    sink,
    files: async () => [...sink.files].map(([name, bytes]) => ({ name, file: blobOf(bytes) })),
    remove: async () => sink.files.clear(),
  };
}
