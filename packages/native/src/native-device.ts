/**
 * A Device over a native library: storage is an address, every operation one call that enqueues. CPU and CUDA share it; what
 * differs between them stands behind halfbyte.h.
 */
import {
  type Device,
  getFormat,
  type HalfbyteError,
  halfbyteError,
  type Launch,
  type NonFinite,
  type OpName,
  type Ops,
  type Reason,
  type Storage,
} from "@halfbyte/core";
import type { Entry, NativeFunctions, Pointer } from "./ffi.js";
import { NativeQueue } from "./native-queue.js";
import { NativeStorage, nativeOf } from "./native-storage.js";
import { nativeOperations } from "./operations.js";

export interface NativeDeviceOptions {
  /** cpu | cuda:0 */
  readonly name: string;
  readonly tier: string;
  readonly maxTensorBytes: number;
  /** The variant that runs an operation, given by its C name without hb_. */
  readonly variantOf: (operation: string) => string;
  readonly device?: number;
  /** 0: as many as the machine has. */
  readonly threads?: number;
}

export class NativeDevice implements Device {
  readonly name: string;
  readonly tier: string;
  readonly limits: Device["limits"];
  readonly lost: Promise<Reason>;
  readonly queue: NativeQueue;
  readonly #variantOf: NativeDeviceOptions["variantOf"];
  readonly #live = new Set<Pointer>();
  readonly #tables = new Map<Float32Array, Pointer>();
  /** Each quantizer writes its fault here, and it is read before the next one runs. */
  readonly #fault: Pointer;
  #closing: Promise<void> | undefined;

  constructor(functions: NativeFunctions, options: NativeDeviceOptions) {
    const { name, tier, maxTensorBytes, variantOf, device = 0, threads = 0 } = options;
    this.name = name;
    this.tier = tier;
    this.limits = { maxTensorBytes };
    this.#variantOf = variantOf;
    let lose: (error: HalfbyteError) => void = () => undefined;
    this.lost = new Promise((resolve) => {
      lose = ({ code, message, remedy }) => resolve({ code, message, remedy });
    });
    this.queue = new NativeQueue(functions, { device, threads, onLost: lose });
    this.#fault = this.#take(8, true);
  }

  allocate(byteLength: number, zeroed: boolean): Storage {
    return new NativeStorage(this.#take(byteLength, zeroed), byteLength) as unknown as Storage;
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    const { pointer } = nativeOf(target);
    this.queue.enqueue("hb_write", pointer, byteOffset, bytes, bytes.byteLength, adopt ? 1 : 0);
    // Asked for, so that the bytes are let go when they have been taken, not when the next operation comes.
    if (adopt) void this.queue.settled(this.queue.keep(bytes)).catch(() => undefined);
  }

  async read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.queue.settled(this.#enqueueRead(nativeOf(source).pointer, byteOffset, into));
    throwIfAborted(signal);
  }

  free(target: Storage): void {
    const { pointer } = nativeOf(target);
    if (this.#live.delete(pointer)) this.queue.free(pointer);
  }

  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason {
    const { name, variant, refuse, launch } = nativeOperations[op];
    const why = refuse?.(args);
    if (why !== undefined) return unsupported(why);
    return {
      kernel: `hb_${name}`,
      variant: this.#variantOf(variant?.(args) ?? name),
      run: (given, out) => launch(this, given, out),
    };
  }

  drain(): Promise<void> {
    return this.queue.drain();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The table of a 4-bit format on this device, uploaded when first asked for. */
  table(format: string): Pointer {
    const { code } = getFormat(format);
    const known = this.#tables.get(code);
    if (known !== undefined) return known;
    const pointer = this.#take(code.byteLength, false);
    this.queue.enqueue("hb_write", pointer, 0, new Uint8Array(code.buffer, code.byteOffset), code.byteLength, 0);
    this.#tables.set(code, pointer);
    return pointer;
  }

  /** Enqueues a quantizer and, unless non-finite values are allowed, a look at where it found the first one. */
  watched(
    nonFinite: NonFinite | undefined,
    enqueue: (fault: Pointer | null) => void,
  ): undefined | (() => Promise<void>) {
    if (nonFinite === "propagate") {
      enqueue(null);
      return undefined;
    }
    enqueue(this.#fault);
    const index = new BigInt64Array(1);
    const entry = this.#enqueueRead(this.#fault, 0, new Uint8Array(index.buffer));
    return checkOf(this.queue, entry, index);
  }

  #take(byteLength: number, zeroed: boolean): Pointer {
    const pointer = this.queue.allocate(byteLength, zeroed);
    this.#live.add(pointer);
    return pointer;
  }

  /** The entry after which the bytes are there. */
  #enqueueRead(source: Pointer, byteOffset: number, into: Uint8Array): Entry {
    this.queue.enqueue("hb_read", source, byteOffset, into, into.byteLength);
    return this.queue.keep(into);
  }

  /** Memory that nobody freed goes back too. */
  async #close(): Promise<void> {
    await this.drain().catch(() => undefined);
    for (const pointer of this.#live) this.queue.free(pointer);
    this.#live.clear();
    await this.queue.close();
  }
}

/** Made apart from the launch, so that it does not keep the operation's tensors alive. */
const checkOf = (queue: NativeQueue, entry: Entry, found: BigInt64Array) => async (): Promise<void> => {
  await queue.settled(entry);
  const index = Number(found[0]);
  if (index < 0) return;
  throw halfbyteError("NON_FINITE_INPUT", `The input is NaN or infinite at flat index ${index}.`, {
    details: { index },
  });
};

function unsupported(message: string): Reason {
  const { code, remedy } = halfbyteError("UNSUPPORTED_KERNEL", message);
  return { code, message, remedy };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw halfbyteError("ABORTED", "Reading a tensor was aborted.", { cause: signal.reason });
}
