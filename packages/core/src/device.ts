/**
 * What a backend package implements. A device is one place where bytes live and kernels run, with an in-order queue. It is
 * not what users hold: core's `createBackend(device)` adds validation, shape inference, allocation, composition, faults and
 * lifetimes, once for all. A device only moves bytes and launches.
 */
import type { OpName, Ops } from "./kernels.js";
import type { Detection, OpenReport, Reason } from "./registry.js";

declare const storage: unique symbol;
export interface Storage {
  readonly [storage]: true;
  readonly byteLength: number;
  /** What wrote it last, where the device keeps that. */
  readonly origin?: Pick<Launch<OpName>, "kernel" | "variant">;
}

export interface StorageOptions {
  /** In memory of the host, for optimizer states that the device has no room for. */
  readonly paged?: boolean;
}

/** Enqueues; outputs are already allocated. A returned check is asked at read() of anything derived from the outputs (non-finite input, late failure). */
export interface Launch<K extends OpName> {
  readonly kernel: string;
  readonly variant: string;
  run(args: Ops[K]["in"], out: Ops[K]["out"]): void | (() => Promise<void>);
}

export interface Device {
  /** cpu | cuda:0 | webgpu | reference */
  readonly name: string;
  /** avx512 | avx2 | neon | scalar | wasm-relaxed | wasm | cuda124 | t0 | t0+f16+subgroups | reference */
  readonly tier: string;
  readonly limits: { readonly maxTensorBytes: number; readonly freeBytes?: number };
  /** Bytes of packed copies of weights that the device keeps beside the canonical ones. */
  readonly packedBytes?: number;
  /** OutOfMemoryError now, or as a fault at read(); padding is zero. A device without paging ignores `paged`. */
  allocate(byteLength: number, zeroed: boolean, options?: StorageOptions): Storage;
  /** Bytes are taken before it returns, unless adopted. */
  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt?: boolean): void;
  read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** In queue order; also drops packed copies made from it. */
  free(target: Storage): void;
  /** The variant that would run these arguments, or a reason; a pure function of shapes, dtypes and options. */
  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason;
  /**
   * For a device that has several variants of a kernel and does without one that is wrong. Absent: core runs its cases once, and one wrong result
   * refuses the device. Rejects with SELF_TEST_FAILED when an operation has no kernel left.
   */
  selfTest?(detection: Detection): Promise<OpenReport["selfTest"]>;
  /** Everything enqueued so far is done; rejects with device loss. */
  drain(): Promise<void>;
  readonly lost: Promise<Reason>;
  /** May be called again: a lost device is closed by every backend made on it. */
  close(): Promise<void>;
}

export { storageOf } from "./storage.js";
