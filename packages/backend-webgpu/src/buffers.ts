/** Memory of the GPU: buffers in size classes, kept for the next one who asks. */
import { halfbyteError, type Storage } from "@halfbyte/core";

/** The WebGPU constants, which not every host has as globals. */
export const usage = {
  mapRead: 1,
  copySource: 4,
  copyTarget: 8,
  uniform: 64,
  storage: 128,
  queryResolve: 512,
} as const;

/** Bindings and copies come in whole words. */
export const wholeWords = (byteLength: number): number => Math.max(4, Math.ceil(byteLength / 4) * 4);

/** Kernels may load and store four words at once: a binding ends behind the last of them. What is there beyond a tensor is anything. */
export const wholeVectors = (byteLength: number): number => Math.ceil(byteLength / 16) * 16;

/** A quarter of a power of two: at most a quarter of a buffer is wasted, and freed ones fit again. */
export function sizeClass(byteLength: number, limit: number): number {
  const step = 2 ** Math.max(6, Math.ceil(Math.log2(byteLength)) - 3);
  return Math.min(limit, Math.max(256, Math.ceil(byteLength / step) * step));
}

export interface PooledBuffer {
  readonly buffer: GPUBuffer;
  /** Rejects with OUT_OF_MEMORY. */
  readonly allocated: Promise<void>;
  /** There was no memory for it: nobody gets it again. */
  failed: boolean;
}

/** What a tensor's bytes live in: pieces of `pieceBytes`, the last one shorter; the bytes behind the last one, up to a whole word, are zero. */
export class WebgpuStorage {
  /** The kernel that wrote it, and in which variant. */
  origin?: { readonly kernel: string; readonly variant: string };

  constructor(
    readonly pieces: readonly PooledBuffer[],
    readonly byteLength: number,
    readonly pieceBytes: number,
  ) {}

  /** Whole words of one piece. */
  boundBytes(piece: number): number {
    return wholeWords(Math.min(this.pieceBytes, this.byteLength - piece * this.pieceBytes));
  }

  get buffers(): readonly GPUBuffer[] {
    return this.pieces.map(({ buffer }) => buffer);
  }
}

export const webgpuOf = (storage: Storage): WebgpuStorage => storage as unknown as WebgpuStorage;

/** How much may lie unused before freed buffers are destroyed. */
const idleLimit = 256 * 2 ** 20;

export class BufferPool {
  readonly #idle = new Map<number, PooledBuffer[]>();
  readonly #live = new Map<GPUBuffer, PooledBuffer>();
  #idleBytes = 0;

  /** @param settle submits the commands that may still use a buffer, before it is destroyed */
  constructor(
    readonly device: GPUDevice,
    readonly usage: GPUBufferUsageFlags,
    readonly settle: () => void = () => undefined,
  ) {}

  /** Buffers in use. */
  get live(): number {
    return this.#live.size;
  }

  take(byteLength: number): PooledBuffer {
    const size = sizeClass(wholeWords(byteLength), this.device.limits.maxBufferSize);
    const pooled = this.#reuse(size) ?? this.#create(size);
    this.#live.set(pooled.buffer, pooled);
    return pooled;
  }

  /** Commands are in order: whoever takes the buffer next comes after everything enqueued so far. */
  release(buffer: GPUBuffer): void {
    const pooled = this.#live.get(buffer);
    if (!pooled || !this.#live.delete(buffer)) return;
    if (!pooled.failed && this.#idleBytes + buffer.size <= idleLimit) this.#keep(pooled);
    else this.#destroy(buffer);
  }

  destroy(): void {
    for (const { buffer } of [...this.#live.values(), ...[...this.#idle.values()].flat()]) buffer.destroy();
    this.#live.clear();
    this.#idle.clear();
    this.#idleBytes = 0;
  }

  #destroy(buffer: GPUBuffer): void {
    this.settle();
    buffer.destroy();
  }

  #keep(pooled: PooledBuffer): void {
    const { size } = pooled.buffer;
    this.#idleBytes += size;
    const others = this.#idle.get(size);
    if (others) others.push(pooled);
    else this.#idle.set(size, [pooled]);
  }

  #reuse(size: number): PooledBuffer | undefined {
    const pooled = this.#idle.get(size)?.pop();
    if (!pooled) return undefined;
    this.#idleBytes -= size;
    return pooled.failed ? this.#reuse(size) : pooled;
  }

  #create(size: number): PooledBuffer {
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({ size, usage: this.usage });
    const allocated = this.device.popErrorScope().then((error) => {
      if (!error) return;
      pooled.failed = true;
      throw halfbyteError("OUT_OF_MEMORY", `The GPU has no ${size} bytes left: ${error.message}`);
    });
    // Told by whoever reads; nobody has to.
    allocated.catch(() => undefined);
    const pooled: PooledBuffer = { buffer, allocated, failed: false };
    return pooled;
  }
}
