/** Bytes that are at hand: arrays, Blobs and the Files of a browser. */

import { halfbyteError } from "../errors.js";
import { checkFileName } from "./file-name.js";
import { checkRange, readFailed, readThrew } from "./read-range.js";
import type { Repository, Source } from "./source.js";

/** Reads are views of `bytes`, not copies. */
export function bytesSource(bytes: Uint8Array, name = "bytes"): Source {
  const size = bytes.length;
  return {
    name,
    size,
    async read(offset, length, signal) {
      checkRange({ name, size }, offset, length, signal);
      return bytes.subarray(offset, offset + length);
    },
    async close() {},
  };
}

/** A Blob or a File; nothing is read before it is asked for. */
export function blobSource(blob: Blob, name = nameOf(blob)): Source {
  const source: Source = {
    name,
    size: blob.size,
    async read(offset, length, signal) {
      checkRange(source, offset, length, signal);
      const bytes = await readSlice(source, blob, offset, length);
      checkRange(source, offset, length, signal);
      if (bytes.length !== length) throw readFailed(source, offset, bytes.length, length, "it became shorter");
      return bytes;
    },
    async close() {},
  };
  return source;
}

/** Files by name; the record is copied, the bytes are not. */
export function memoryRepository(files: Readonly<Record<string, Uint8Array | Blob>>, name = "memory"): Repository {
  const entries = new Map(Object.entries(files));
  for (const file of entries.keys()) checkFileName(file);
  return {
    name,
    list: async () => [...entries.keys()].sort(),
    async open(file) {
      checkFileName(file);
      const content = entries.get(file);
      if (content === undefined) throw notFound(file, name);
      return ArrayBuffer.isView(content) ? bytesSource(content, file) : blobSource(content, file);
    },
  };
}

function nameOf(blob: Blob): string {
  return "name" in blob && typeof blob.name === "string" ? blob.name : "blob";
}

/** A File whose file was removed or changed on disk rejects here. */
async function readSlice(source: Source, blob: Blob, offset: number, length: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  } catch (error) {
    throw readThrew(source, { offset, length }, error);
  }
}

function notFound(file: string, repository: string): Error {
  return halfbyteError("INPUT_NOT_FOUND", `${repository} has no file ${JSON.stringify(file)}.`, { details: { file } });
}
