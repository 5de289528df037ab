/**
 * Whether the CUDA files that this process has mapped are still those at their paths. A package manager puts a new file in the
 * place of the old one: what runs keeps the old, and every process started from now on gets the new.
 */
import { basename } from "node:path";
import { sameFile } from "./library-states.js";
import type { FileStamp, World } from "./world.js";

/** Of the driver, of the CUDA runtime, of the frameworks, and ours. */
const watched = /^(lib)?(cuda|nvcuda|nvidia-|nvml|cudart|cublas|cudnn|onnxruntime|tensorflow|halfbyte_)/;

/** What Linux writes behind the path of a file that is gone. */
const deleted = / \(deleted\)$/;

export class LoadedFiles {
  /** How each file looked when it was first seen. */
  readonly #first = new Map<string, FileStamp>();

  constructor(readonly world: Pick<World, "stamp" | "loadedLibraries">) {}

  /** Those that are another file now, or none. */
  async replaced(): Promise<readonly string[]> {
    const loaded = await this.world.loadedLibraries();
    const mine = [...new Set(loaded)].filter((path) => watched.test(basename(path)));
    const judged = await Promise.all(mine.map(async (path) => ((await this.#isReplaced(path)) ? [path] : [])));
    return [...new Set(judged.flat().map((path) => path.replace(deleted, "")))].sort();
  }

  async #isReplaced(path: string): Promise<boolean> {
    if (deleted.test(path)) return true;
    const stamp = await this.world.stamp(path).catch(() => undefined);
    const first = this.#first.get(path);
    if (first) return !stamp || !sameFile(first, stamp);
    if (stamp) this.#first.set(path, stamp);
    return false;
  }
}
