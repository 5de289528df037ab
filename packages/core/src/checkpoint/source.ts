/** Where bytes come from: one file, or the files of a checkpoint. */

export { checkFileName } from "./file-name.js";
export { httpRepository } from "./http-repository.js";
export { type HttpOptions, httpSource } from "./http-source.js";
export { blobSource, bytesSource, memoryRepository } from "./memory-source.js";

/** Random access to immutable bytes. */
export interface Source {
  /** For messages: a path, a URL without its query, or what the caller chose. */
  readonly name: string;
  readonly size: number;
  /**
   * Exactly `length` bytes at `offset`; the caller must not write to them, they may be a view. READ_FAILED past the end
   * or when fewer bytes arrive, ABORTED when the signal fires. `into` may be used for them, where a source has no bytes of
   * its own to show: memory that was read into before costs less than fresh memory.
   */
  read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** May be called more than once. */
  close(): Promise<void>;
}

/** The files of one checkpoint. */
export interface Repository {
  readonly name: string;
  /** File names, sorted. */
  list(): Promise<readonly string[]>;
  /** SHARD_NAME_UNSAFE for what is no plain file name, INPUT_NOT_FOUND or SHARD_MISSING for what is not there. */
  open(file: string, signal?: AbortSignal): Promise<Source>;
}
