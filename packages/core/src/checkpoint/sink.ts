/** Where a checkpoint is written: complete after commit(), absent before. */
import { type ErrorCode, halfbyteError, messageOf } from "../errors.js";

export interface SinkFile {
  /** Writes at a position; any order. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface Sink {
  readonly name: string;
  /** A new file, or an empty one in place of what this sink wrote under the name before; `expectedBytes` is a hint. */
  create(name: string, expectedBytes: number): Promise<SinkFile>;
  /** Makes every file visible at once. */
  commit(): Promise<void>;
  /** Removes everything this sink wrote. */
  abort(): Promise<void>;
}

export interface MemorySink extends Sink {
  /** The files, after commit(). */
  readonly files: Map<string, Uint8Array>;
}

/** Keeps files in memory. */
export function memorySink(): MemorySink {
  const files = new Map<string, Uint8Array>();
  const written = new Map<string, MemoryFile>();
  return {
    name: "memory",
    files,
    async create(name, expectedBytes) {
      const file = new MemoryFile(expectedBytes);
      written.set(name, file);
      return file;
    },
    async commit() {
      for (const [name, file] of written) files.set(name, file.bytes);
    },
    async abort() {
      written.clear();
    },
  };
}

class MemoryFile implements SinkFile {
  #buffer: Uint8Array;
  #length = 0;

  constructor(expectedBytes: number) {
    this.#buffer = new Uint8Array(expectedBytes);
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#length = Math.max(this.#length, offset + bytes.byteLength);
    if (this.#length > this.#buffer.byteLength) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, offset);
  }

  async close(): Promise<void> {}
}

/**
 * A folder of the browser's file system (FileSystemDirectoryHandle). A file appears there when it is closed; what was there before is
 * refused with OUTPUT_EXISTS and left alone.
 */
export function directorySink(folder: FileSystemDirectoryHandle): Sink {
  const written = new Set<string>();
  const open = new Set<FileSystemWritableFileStream>();
  const isForeign = (name: string): Promise<boolean> =>
    written.has(name)
      ? Promise.resolve(false)
      : folder.getFileHandle(name).then(
          () => true,
          () => false,
        );
  return {
    name: folder.name,
    async create(name) {
      if (await isForeign(name))
        throw halfbyteError("OUTPUT_EXISTS", `${folder.name} has a file ${name}.`, { details: { file: name } });
      written.add(name);
      const handle = await guarded(name, () => folder.getFileHandle(name, { create: true }));
      const stream = await guarded(name, () => handle.createWritable());
      open.add(stream);
      return {
        write: (position, bytes) =>
          guarded(name, () => stream.write({ type: "write", position, data: bytes as Uint8Array<ArrayBuffer> })),
        async close() {
          open.delete(stream);
          await guarded(name, () => stream.close());
        },
      };
    },
    async commit() {},
    async abort() {
      for (const stream of open) await stream.abort().catch(() => undefined);
      for (const name of written) await folder.removeEntry(name).catch(() => undefined);
    },
  };
}

const codes: Readonly<Record<string, ErrorCode>> = {
  NotAllowedError: "DESTINATION_NOT_WRITABLE",
  QuotaExceededError: "DESTINATION_FULL",
};

async function guarded<T>(file: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    const code = codes[(cause as { name?: string }).name ?? ""] ?? "WRITE_FAILED";
    throw halfbyteError(code, `Cannot write ${file}: ${messageOf(cause)}`, { cause, details: { file } });
  }
}

/** Runs `write` and commits; on any failure the sink is aborted and nothing appears. */
export async function commitAfter<T>(sink: Sink, write: () => Promise<T>): Promise<T> {
  try {
    const result = await write();
    await sink.commit();
    return result;
  } catch (thrown) {
    await sink.abort().catch(() => undefined);
    throw thrown;
  }
}

/** Writes a whole small file. */
export async function writeFileTo(sink: Sink, name: string, bytes: Uint8Array): Promise<void> {
  const file = await sink.create(name, bytes.byteLength);
  await file.write(0, bytes);
  await file.close();
}
