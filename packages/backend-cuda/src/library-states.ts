/**
 * Which libraries there are and whether a file is still the same one. Size, time and inode tell cheaply that nothing happened; only
 * when they differ is the file read and hashed, in pieces, so that the event loop goes on.
 */
import { createHash } from "node:crypto";
import type { Reason } from "@halfbyte/core";
import { libraryId } from "./library-name.js";
import type { SelectableLibrary } from "./select-library.js";
import type { FileStamp, World } from "./world.js";

export interface LibraryState {
  /** cuda124 */
  readonly library: string;
  readonly path: string;
  /** Absent when the file cannot be read. */
  readonly sha256?: string;
  readonly refusal?: Reason;
}

interface Hashed {
  readonly stamp: FileStamp;
  readonly sha256: string;
}

export class LibraryWatch {
  #hashes: ReadonlyMap<string, Hashed> = new Map();

  constructor(readonly world: Pick<World, "stamp" | "readBytes">) {}

  async states(libraries: readonly SelectableLibrary[]): Promise<readonly LibraryState[]> {
    const hashes = new Map<string, Hashed>();
    const states: LibraryState[] = [];
    for (const library of libraries) {
      const hashed = await this.#hash(library.path);
      if (hashed) hashes.set(library.path, hashed);
      const { path, refusal } = library;
      const found = { ...(hashed && { sha256: hashed.sha256 }), ...(refusal && { refusal }) };
      states.push({ library: libraryId(library), path, ...found });
    }
    this.#hashes = hashes;
    return states;
  }

  async #hash(path: string): Promise<Hashed | undefined> {
    try {
      const stamp = await this.world.stamp(path);
      const known = this.#hashes.get(path);
      if (known && sameFile(known.stamp, stamp)) return known;
      return { stamp, sha256: await sha256Of(this.world, path, stamp.size) };
    } catch {
      // Gone or unreadable: whoever made the list says why with its refusal.
      return undefined;
    }
  }
}

export const sameFile = (a: FileStamp, b: FileStamp): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs && a.inode === b.inode;

const pieceBytes = 1 << 20;

async function sha256Of(world: Pick<World, "readBytes">, path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < size; offset += pieceBytes)
    hash.update(await world.readBytes(path, offset, Math.min(pieceBytes, size - offset)));
  return hash.digest("hex");
}
