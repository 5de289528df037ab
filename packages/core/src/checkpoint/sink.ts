/** Where a checkpoint is written: complete after commit(), absent before. */

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

/** A folder of the browser's file system (FileSystemDirectoryHandle). A file appears there when it is closed. */
export function directorySink(folder: FileSystemDirectoryHandle): Sink {
  const names = new Set<string>();
  return {
    name: folder.name,
    async create(name) {
      names.add(name);
      const handle = await folder.getFileHandle(name, { create: true });
      const stream = await handle.createWritable();
      return {
        write: (position, bytes) => stream.write({ type: "write", position, data: bytes as Uint8Array<ArrayBuffer> }),
        close: () => stream.close(),
      };
    },
    async commit() {},
    async abort() {
      for (const name of names) await folder.removeEntry(name);
    },
  };
}

/** Writes a whole small file. */
export async function writeFileTo(sink: Sink, name: string, bytes: Uint8Array): Promise<void> {
  const file = await sink.create(name, bytes.byteLength);
  await file.write(0, bytes);
  await file.close();
}
