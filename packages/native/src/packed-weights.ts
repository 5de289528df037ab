/**
 * Packed copies of weights, in the order in which a library reads them: made when a product wants one, kept beside the
 * canonical bytes, dropped when those are freed or written to.
 */
import { isHalfbyteError } from "@halfbyte/core";
import type { Pointer } from "./functions.js";

interface Copy {
  readonly key: string;
  readonly packed: Pointer;
  readonly byteLength: number;
  readonly sources: readonly Pointer[];
  dropped: boolean;
}

export interface PackRequest {
  /** What the copy is made from; the first one is the codes. */
  readonly sources: readonly Pointer[];
  /** Everything else that the copy depends on. */
  readonly layout: string;
  readonly byteLength: number;
  /** Enqueues the packing. */
  readonly pack: (packed: Pointer) => void;
}

export interface PackMemory {
  allocate(byteLength: number): Pointer;
  free(pointer: Pointer): void;
}

export class PackedWeights {
  readonly #copies = new Map<Pointer, Set<Copy>>();
  /** A shortcut past the key: products are called with the same weight again and again. */
  readonly #known = new WeakMap<object, Copy>();
  readonly #used = new Set<Pointer>();
  #bytes = 0;

  constructor(readonly memory: PackMemory) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** The copy that this very object was given before. */
  known(weight: object): Pointer | undefined {
    const copy = this.#known.get(weight);
    return copy && !copy.dropped ? copy.packed : undefined;
  }

  /** The copy of these sources, made now when there is none; null when there is no memory for it. */
  get(weight: object, request: PackRequest): Pointer | null {
    const key = `${request.sources.join()} ${request.layout}`;
    const [codes] = request.sources;
    const copy = [...(this.#copies.get(codes!) ?? [])].find((copy) => copy.key === key) ?? this.#make(key, request);
    if (copy) this.#known.set(weight, copy);
    return copy?.packed ?? null;
  }

  /** Whether a weight was asked about before: one that is used once is not worth a copy. */
  isUsedAgain(weight: Pointer): boolean {
    if (this.#used.has(weight)) return true;
    this.#used.add(weight);
    return false;
  }

  /** Every copy made from `source`, which is about to change or to go. */
  drop(source: Pointer): void {
    this.#used.delete(source);
    for (const copy of this.#copies.get(source) ?? []) this.#forget(copy);
  }

  #make(key: string, { sources, byteLength, pack }: PackRequest): Copy | undefined {
    const packed = this.#allocate(byteLength);
    if (packed === null) return undefined;
    try {
      pack(packed);
    } catch (thrown) {
      this.memory.free(packed);
      throw thrown;
    }
    const copy = { key, packed, byteLength, sources, dropped: false };
    for (const source of sources) this.#copies.set(source, (this.#copies.get(source) ?? new Set()).add(copy));
    this.#bytes += byteLength;
    return copy;
  }

  #allocate(byteLength: number): Pointer | null {
    try {
      return this.memory.allocate(byteLength);
    } catch (thrown) {
      // The canonical bytes serve as well, only slower.
      if (isHalfbyteError(thrown) && thrown.code === "OUT_OF_MEMORY") return null;
      throw thrown;
    }
  }

  #forget(copy: Copy): void {
    copy.dropped = true;
    for (const source of copy.sources) {
      const copies = this.#copies.get(source);
      copies?.delete(copy);
      if (copies?.size === 0) this.#copies.delete(source);
    }
    this.#bytes -= copy.byteLength;
    this.memory.free(copy.packed);
  }
}
