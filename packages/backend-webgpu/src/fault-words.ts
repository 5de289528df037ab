/**
 * Where kernels tell the first non-finite value they meet: a word of a shared buffer for each launch that looks for one. The word holds the
 * complement of the lowest index, so that zero is none and `atomicMax` finds the lowest.
 */
import type { Storage } from "@halfbyte/core";

const segmentBytes = 1024;

/** How a segment's memory is had, read and given back. */
export interface SegmentMemory {
  allocate(byteLength: number): Storage;
  read(storage: Storage, into: Uint8Array): Promise<void>;
  free(storage: Storage): void;
}

export interface FaultWord {
  /** To be bound for writing, as `array<atomic<u32>>`. */
  readonly storage: Storage;
  readonly index: number;
  /** Lowest flat index of a non-finite value; undefined when there was none. */
  first(): Promise<number | undefined>;
}

/** Words for some launches, which are read together when the first of them is asked for. */
class Segment {
  readonly storage: Storage;
  readonly #memory: SegmentMemory;
  #taken = 0;
  #words: Promise<Uint32Array> | undefined;

  constructor(memory: SegmentMemory) {
    this.#memory = memory;
    this.storage = memory.allocate(segmentBytes);
  }

  get isOpen(): boolean {
    return this.#taken < segmentBytes / 4 && !this.#words;
  }

  take(): number {
    return this.#taken++;
  }

  /** All words; nobody gets one of them from now on. */
  words(): Promise<Uint32Array> {
    this.#words ??= this.#read();
    return this.#words;
  }

  async #read(): Promise<Uint32Array> {
    const words = new Uint32Array(segmentBytes / 4);
    const reading = this.#memory.read(this.storage, new Uint8Array(words.buffer));
    this.#memory.free(this.storage);
    await reading;
    return words;
  }
}

export class FaultWords {
  readonly #memory: SegmentMemory;
  #segment: Segment | undefined;

  constructor(memory: SegmentMemory) {
    this.#memory = memory;
  }

  take(): FaultWord {
    const segment = this.#open();
    const index = segment.take();
    const first = async () => {
      const word = (await segment.words())[index]!;
      return word === 0 ? undefined : ~word >>> 0;
    };
    return { storage: segment.storage, index, first };
  }

  #open(): Segment {
    if (this.#segment?.isOpen) return this.#segment;
    // A full one is read now, after its last launch: its memory does not wait for somebody to ask.
    this.#segment?.words().catch(() => undefined);
    this.#segment = new Segment(this.#memory);
    return this.#segment;
  }
}
