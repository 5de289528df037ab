/** The bytes of tensors on the GPU: taken from pools, written and read in queue order, bound to kernels whole or in slices. */
import { halfbyteError, isHalfbyteError, messageOf, type Storage, throwIfAborted } from "@halfbyte/core";
import type { Binding } from "./bind-groups.js";
import { BufferPool, type PooledBuffer, usage, WebgpuStorage, webgpuOf, wholeVectors, wholeWords } from "./buffers.js";
import type { CommandStream, CopyCommand } from "./command-stream.js";
import { bytesIn, isSlice, type Operand } from "./dispatch.js";
import type { HeldQueue } from "./held-queue.js";
import { mapped } from "./mapped.js";
import { type Edge, splitWrite } from "./split-write.js";

/** How much is read back through one buffer. */
const readbackBytes = 64 * 2 ** 20;

/** Offsets of bindings are multiples of this on every device. */
export const bindingAlignment = 256;

export interface MemoryOptions {
  /** Bytes of a tensor in one buffer; larger ones have several. A multiple of 256. */
  readonly pieceBytes: number;
  /** Writes some bytes of a word. */
  readonly merge: (target: Storage, edge: Edge) => void;
  /** Throws when the device is gone. */
  readonly expectAlive: () => void;
}

export class Memory {
  readonly pieceBytes: number;
  readonly #gpu: GPUDevice;
  readonly #queue: HeldQueue;
  readonly #commands: CommandStream;
  readonly #options: MemoryOptions;
  readonly #tensors: BufferPool;
  readonly #readbacks: BufferPool;
  readonly #own: BufferPool;
  readonly #reads = new Set<Promise<void>>();

  constructor(gpu: GPUDevice, queue: HeldQueue, commands: CommandStream, options: MemoryOptions) {
    this.#gpu = gpu;
    this.#queue = queue;
    this.#commands = commands;
    this.#options = options;
    this.pieceBytes = options.pieceBytes;
    const settle = () => commands.flush();
    const onDevice = usage.storage | usage.copySource | usage.copyTarget;
    this.#tensors = new BufferPool(gpu, onDevice, settle);
    this.#own = new BufferPool(gpu, onDevice, settle);
    this.#readbacks = new BufferPool(gpu, usage.mapRead | usage.copyTarget, settle);
  }

  /** Buffers of tensors and of reads under way. */
  get liveBuffers(): number {
    return this.#tensors.live + this.#readbacks.live;
  }

  allocate(byteLength: number, zeroed: boolean): Storage {
    return this.#allocate(this.#tensors, byteLength, zeroed);
  }

  /** For the device itself: not a tensor, and zero. */
  allocateOwn(byteLength: number): Storage {
    return this.#allocate(this.#own, byteLength, true);
  }

  free(storage: Storage): void {
    const { buffers } = webgpuOf(storage);
    this.#queue.enqueue(() => {
      for (const buffer of buffers) this.#release(buffer);
    });
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt: boolean): void {
    // Only a held queue looks at the bytes later.
    const taken = this.#queue.isHeld && !adopt ? new Uint8Array(bytes) : bytes;
    const storage = webgpuOf(target);
    for (const { piece, offset, from, to } of pieceRanges(storage, byteOffset, byteOffset + taken.byteLength))
      this.#writePiece(storage, piece, offset, taken.subarray(from, to));
  }

  #writePiece(storage: WebgpuStorage, piece: number, offset: number, bytes: Uint8Array): void {
    const { pieces, pieceBytes, byteLength } = storage;
    const length = Math.min(pieceBytes, byteLength - piece * pieceBytes);
    const { words, edges } = splitWrite(bytes, offset, length);
    const { buffer } = pieces[piece]!;
    for (const { offset: at, bytes: slice } of words)
      this.#queue.enqueue(() => this.#commands.writeBuffer(buffer, at, slice));
    const target = new WebgpuStorage([pieces[piece]!], length, pieceBytes) as unknown as Storage;
    for (const edge of edges) this.#options.merge(target, edge);
  }

  read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const reading = this.#read(webgpuOf(source), byteOffset, into, signal);
    const ended = () => void this.#reads.delete(reading);
    this.#reads.add(reading);
    reading.then(ended, ended);
    return reading;
  }

  /** All copies are enqueued now; what is written or freed later does not change them. */
  async #read(source: WebgpuStorage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, "Reading a tensor");
    const parts = [...readParts(source, byteOffset, into.byteLength)].map((part) => this.#copyOut(source, part));
    try {
      for (const part of parts) await this.#fetch(part, into, signal);
    } finally {
      for (const { staging } of parts) this.#giveBack(staging);
    }
  }

  #copyOut(source: WebgpuStorage, part: ReadPart): Readback {
    const { buffer: from, allocated } = source.pieces[part.piece]!;
    const size = wholeWords(part.skipped + part.byteLength);
    const staging = this.#readbacks.take(size);
    const command: CopyCommand = { from, fromOffset: part.offset, to: staging.buffer, toOffset: 0, size };
    let accepted: Promise<void> | undefined;
    const passed = this.#queue.enqueue(() => {
      accepted = this.#commands.copy(command);
    });
    const copied = Promise.all([allocated, staging.allocated, passed]).then(() => accepted);
    // A part that failed is told when its turn comes.
    copied.catch(() => undefined);
    return { part, staging, size, copied };
  }

  async #fetch({ part, staging, size, copied }: Readback, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    try {
      await copied;
      this.#options.expectAlive();
      await mapped(this.#gpu, staging.buffer, size);
    } catch (cause) {
      this.#options.expectAlive();
      if (isHalfbyteError(cause)) throw cause;
      throw halfbyteError("KERNEL_FAILED", `Reading failed: ${messageOf(cause)}`, { cause });
    }
    throwIfAborted(signal, "Reading a tensor");
    const bytes = new Uint8Array(staging.buffer.getMappedRange(0, size), part.skipped, part.byteLength);
    into.set(bytes, part.target);
  }

  #giveBack({ buffer }: PooledBuffer): void {
    // Where nothing was mapped, this does nothing.
    buffer.unmap();
    this.#readbacks.release(buffer);
  }

  /** What a kernel sees of an operand. A slice that starts between two bindings, or lies in two pieces, is copied there and, if written, back. */
  bind(operand: Operand, isWritten: boolean): { readonly binding: Binding; readonly done: () => void } {
    const storage = webgpuOf(isSlice(operand) ? operand.storage : operand);
    const from = isSlice(operand) ? operand.from : 0;
    const size = wholeWords(bytesIn(operand));
    const piece = Math.floor(from / storage.pieceBytes);
    const offset = from - piece * storage.pieceBytes;
    const isWhole = offset % bindingAlignment === 0 && offset + size <= storage.boundBytes(piece);
    const { buffer } = storage.pieces[piece]!;
    if (isWhole) return { binding: { buffer, offset, size: wholeVectors(size) }, done: () => undefined };
    return this.#bindCopy(storage, from, size, isWritten);
  }

  #bindCopy(storage: WebgpuStorage, begin: number, size: number, isWritten: boolean) {
    const { buffer } = this.#own.take(size);
    const ranges = [...pieceRanges(storage, begin, begin + size)];
    for (const { piece, offset, from, to } of ranges)
      void this.#commands.copy({
        from: storage.pieces[piece]!.buffer,
        fromOffset: offset,
        to: buffer,
        toOffset: from,
        size: to - from,
      });
    const copyBack = () => {
      for (const { piece, offset, from, to } of ranges)
        void this.#commands.copy({
          from: buffer,
          fromOffset: from,
          to: storage.pieces[piece]!.buffer,
          toOffset: offset,
          size: to - from,
        });
    };
    const done = () => {
      if (isWritten) copyBack();
      this.#own.release(buffer);
    };
    return { binding: { buffer, offset: 0, size: wholeVectors(size) }, done };
  }

  /** After the reads under way. */
  async destroy(): Promise<void> {
    await Promise.allSettled(this.#reads);
    this.#tensors.destroy();
    this.#own.destroy();
    this.#readbacks.destroy();
  }

  #allocate(pool: BufferPool, byteLength: number, zeroed: boolean): Storage {
    this.#options.expectAlive();
    const { pieceBytes } = this;
    const count = Math.max(1, Math.ceil(byteLength / pieceBytes));
    const lengths = Array.from({ length: count }, (_, i) => Math.min(pieceBytes, byteLength - i * pieceBytes));
    const pieces = lengths.map((length) => pool.take(length));
    if (zeroed)
      this.#queue.enqueue(() => {
        for (const { buffer } of pieces) this.#commands.clear(buffer);
      });
    return new WebgpuStorage(pieces, byteLength, pieceBytes) as unknown as Storage;
  }

  #release(buffer: GPUBuffer): void {
    this.#tensors.release(buffer);
    this.#own.release(buffer);
  }
}

interface ReadPart {
  readonly piece: number;
  /** In the piece: a whole word, and the bytes of it that are not wanted. */
  readonly offset: number;
  readonly skipped: number;
  readonly byteLength: number;
  /** Where the bytes go. */
  readonly target: number;
}

interface Readback {
  readonly part: ReadPart;
  readonly staging: PooledBuffer;
  readonly size: number;
  readonly copied: Promise<unknown>;
}

/** Where bytes `begin` to `end` of a tensor lie; `from` and `to` count from `begin`. */
function* pieceRanges({ pieceBytes }: WebgpuStorage, begin: number, end: number) {
  for (let at = begin; at < end; ) {
    const piece = Math.floor(at / pieceBytes);
    const next = Math.min(end, (piece + 1) * pieceBytes);
    yield { piece, offset: at - piece * pieceBytes, from: at - begin, to: next - begin };
    at = next;
  }
}

function* readParts(source: WebgpuStorage, begin: number, byteLength: number): Generator<ReadPart, void, void> {
  for (const { piece, offset, from, to } of pieceRanges(source, begin, begin + byteLength))
    for (let at = from; at < to; at += readbackBytes) {
      const start = offset + at - from;
      const skipped = start % 4;
      const length = Math.min(readbackBytes, to - at);
      yield { piece, offset: start - skipped, skipped, byteLength: length, target: at };
    }
}
