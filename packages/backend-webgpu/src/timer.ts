/** Timestamps of the GPU around the dispatches of one submission. */
import { usage } from "./buffers.js";

const bytes = 16;

export class Timer {
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #mapped: GPUBuffer;

  constructor(gpu: GPUDevice) {
    this.#queries = gpu.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = gpu.createBuffer({ size: bytes, usage: usage.queryResolve | usage.copySource });
    this.#mapped = gpu.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
  }

  passOf(isFirst: boolean, isLast: boolean): GPUComputePassDescriptor {
    if (!isFirst && !isLast) return {};
    const timestampWrites = {
      querySet: this.#queries,
      ...(isFirst && { beginningOfPassWriteIndex: 0 }),
      ...(isLast && { endOfPassWriteIndex: 1 }),
    };
    return { timestampWrites };
  }

  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#mapped, 0, bytes);
  }

  /** Nanoseconds. Undefined when the clock was set back in between, as it may be. */
  async read(): Promise<number | undefined> {
    try {
      await this.#mapped.mapAsync(usage.mapRead);
      const [begin = 0n, end = 0n] = new BigUint64Array(this.#mapped.getMappedRange());
      return end > begin ? Number(end - begin) : undefined;
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
    this.#mapped.destroy();
  }
}
