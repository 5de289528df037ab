import type { Storage } from "@halfbyte/core";
import { expect, test } from "vitest";
import { FaultWords } from "./fault-words.js";

/** Memory of the host; what is read is what was there when the read was asked for, as in a queue. */
class HostMemory {
  readonly live = new Set<Storage>();
  reads = 0;
  readonly #bytes = new Map<Storage, Uint8Array>();

  allocate(byteLength: number): Storage {
    const storage = { byteLength } as Storage;
    this.#bytes.set(storage, new Uint8Array(byteLength));
    this.live.add(storage);
    return storage;
  }

  async read(storage: Storage, into: Uint8Array): Promise<void> {
    this.reads++;
    into.set(this.#bytes.get(storage)!);
  }

  free(storage: Storage): void {
    this.live.delete(storage);
  }

  /** What a kernel does that meets a non-finite value. */
  fault({ storage, index }: { storage: Storage; index: number }, element: number): void {
    const words = new Uint32Array(this.#bytes.get(storage)!.buffer);
    words[index] = Math.max(words[index]!, ~element >>> 0);
  }
}

test("the lowest element comes back, and none where there is none", async () => {
  const memory = new HostMemory();
  const faults = new FaultWords(memory);
  const [clean, first, last] = [faults.take(), faults.take(), faults.take()];
  memory.fault(first, 7);
  memory.fault(first, 0);
  memory.fault(last, 0xfffffffe);
  expect(await Promise.all([clean, first, last].map((word) => word.first()))).toEqual([undefined, 0, 0xfffffffe]);
  expect(memory.reads).toBe(1);
});

test("a word taken after the others were read is another buffer's", async () => {
  const memory = new HostMemory();
  const faults = new FaultWords(memory);
  const early = faults.take();
  expect(await early.first()).toBeUndefined();
  const late = faults.take();
  expect(late.storage).not.toBe(early.storage);
  memory.fault(late, 3);
  expect(await late.first()).toBe(3);
  expect(await early.first()).toBeUndefined();
});

test("any number of launches that nobody asks about holds one buffer", async () => {
  const memory = new HostMemory();
  const faults = new FaultWords(memory);
  const words = Array.from({ length: 1000 }, (_, i) => {
    const word = faults.take();
    if (i % 100 === 0) memory.fault(word, i);
    return word;
  });
  expect(memory.live.size).toBe(1);
  expect(await words[900]!.first()).toBe(900);
  expect(await words[100]!.first()).toBe(100);
  expect(await words[101]!.first()).toBeUndefined();
  expect(memory.live.size).toBe(0);
});
