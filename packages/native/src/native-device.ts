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
  nonFiniteInput,
  type OpName,
  type Ops,
  type QuantizedTensor,
  type Reason,
  type Storage,
  type StorageOptions,
  type Tensor,
} from "@halfbyte/core";
import { expectUsable, noForeignMemory, showAddress } from "./foreign-memory.js";
import type { Entry, NativeFunctions, Pointer } from "./functions.js";
import { NativeQueue } from "./native-queue.js";
import { NativeStorage, nativeOf, pointerOf } from "./native-storage.js";
import { nativeOperations } from "./operations.js";
import { PackedWeights } from "./packed-weights.js";
import { refusePaged } from "./paged.js";

export interface NativeDeviceOptions {
  /** cpu | cuda:0 */
  readonly name: string;
  readonly tier: string;
  readonly maxTensorBytes: number;
  /** The variant that runs an operation, given by its C name without hb_. */
  readonly variantOf: (operation: string) => string;
  /** The operations the library has kernels for, by C name without hb_. Absent: all of them. */
  readonly operations?: readonly string[];
  readonly device?: number;
  /** What an error number of the device's own interface means. */
  readonly explain?: (error: number) => Reason | undefined;
  /** 0: as many as the machine has. */
  readonly threads?: number;
  /** fast (default): weights of products are kept a second time, as the library reads them best; lean: they are not. */
  readonly memory?: MemoryUse;
}

export type MemoryUse = "fast" | "lean";

export class NativeDevice implements Device {
  readonly name: string;
  readonly tier: string;
  readonly limits: Device["limits"];
  readonly lost: Promise<Reason>;
  readonly queue: NativeQueue;
  readonly packed: PackedWeights;
  readonly #functions: NativeFunctions;
  readonly #memory: MemoryUse;
  readonly #variantOf: NativeDeviceOptions["variantOf"];
  readonly #operations: ReadonlySet<string> | undefined;
  readonly #live = new Set<Pointer>();
  /** Of those, the ones on the host. */
  readonly #paged = new Set<Pointer>();
  readonly #tables = new Map<Float32Array, Pointer>();
  /** Each quantizer writes its fault here, and it is read before the next one runs. */
  readonly #fault: Pointer;
  #closing: Promise<void> | undefined;

  constructor(functions: NativeFunctions, options: NativeDeviceOptions) {
    const { name, tier, maxTensorBytes, variantOf, operations, memory = "fast" } = options;
    const { device = 0, threads = 0, explain } = options;
    this.#functions = functions;
    this.#memory = memory;
    this.name = name;
    this.tier = tier;
    this.limits = { maxTensorBytes };
    this.#variantOf = variantOf;
    this.#operations = operations && new Set(operations);
    let lose: (error: HalfbyteError) => void = () => undefined;
    this.lost = new Promise((resolve) => {
      lose = ({ code, message, remedy }) => resolve({ code, message, remedy });
    });
    this.queue = new NativeQueue(functions, { device, threads, onLost: lose, ...(explain && { explain }) });
    this.packed = new PackedWeights({
      allocate: (byteLength) => this.#take(byteLength, false),
      free: (pointer) => this.#release(pointer),
    });
    this.#fault = this.#take(8, true);
  }

  get packedBytes(): number {
    return this.packed.bytes;
  }

  allocate(byteLength: number, zeroed: boolean, { paged = false }: StorageOptions = {}): Storage {
    const isPaged = paged && this.queue.hasPaging;
    const pointer = isPaged ? this.#takePaged(byteLength, zeroed) : this.#take(byteLength, zeroed);
    return new NativeStorage(pointer, byteLength, isPaged) as unknown as Storage;
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    const { pointer } = nativeOf(target);
    this.packed.drop(pointer);
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
    this.packed.drop(pointer);
    this.#release(pointer);
  }

  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason {
    const { name, variant, traits, refuse, launch } = nativeOperations[op];
    const why = this.#missing(name) ?? this.#refusePaged(op, args) ?? refuse?.(args, this);
    if (why !== undefined) return unsupported(why);
    const variantOf = () => [this.#variantOf(variant?.(args) ?? name), ...(traits?.(args, this) ?? [])].join("+");
    return {
      kernel: `hb_${name}`,
      // Asked for by explain() alone, not by every call.
      get variant() {
        return variantOf();
      },
      run: (given, out) => {
        const paged = this.#refusePaged("out", out);
        if (paged !== undefined) throw halfbyteError("UNSUPPORTED_KERNEL", paged);
        return this.#run(out, () => launch(this, given, out));
      },
    };
  }

  #refusePaged(op: OpName | "out", tensors: object): string | undefined {
    return this.#paged.size === 0 ? undefined : refusePaged(op, tensors);
  }

  #missing(operation: string): string | undefined {
    if (!this.#operations || this.#operations.has(operation)) return undefined;
    return `the library (${this.tier}) has no kernel hb_${operation} yet.`;
  }

  /** Whether products with a 4-bit weight read a packed copy. */
  packs4bit(weight: QuantizedTensor): boolean {
    return this.packed.known(weight) !== undefined || this.packedBytes4bit(weight) > 0;
  }

  /** Whether the library decodes the scales of this weight on the way. */
  decodesNested({ scales }: QuantizedTensor): boolean {
    const { hb_dequantize_4bit_nested: decode, hb_gemm_4bit_nested: multiply } = this.#functions;
    return (
      scales.kind === "nested" && isPowerOfTwo(scales.nestedBlockSize) && decode !== undefined && multiply !== undefined
    );
  }

  /** Size of the packed form of a 4-bit weight; 0: it has none here. */
  packedBytes4bit({ shape, blockSize }: QuantizedTensor): number {
    const [n, k] = shape as readonly [number, number];
    return this.#memory === "lean" || shape.length !== 2
      ? 0
      : Number(this.#functions.hb_pack_4bit_bytes(n, k, blockSize));
  }

  /** Size of the packed form of an int8 weight; 0: it has none here. */
  packedBytesInt8(n: number, k: number): number {
    return this.#memory === "lean" ? 0 : Number(this.#functions.hb_pack_int8_bytes(n, k));
  }

  /**
   * Storage that another library of the process owns: `byteLength` bytes at an address of this device, after what was enqueued so far on its
   * `stream`, if there is one. freeing it is the other library's business.
   */
  wrap(address: Pointer, byteLength: number, stream?: Pointer): Storage {
    if (this.#live.has(address))
      throw halfbyteError("INVALID_ARGUMENT", `The memory at ${showAddress(address)} is this backend's own.`);
    expectUsable(this.#lookAt(address, byteLength), address, byteLength, this.name);
    if (stream !== undefined)
      this.queue.ask(({ hb_take_over }, queue) => hb_take_over?.(queue, stream), "hb_take_over");
    this.packed.drop(address);
    return new NativeStorage(address, byteLength) as unknown as Storage;
  }

  /** What is enqueued on another library's stream from now on comes after what was enqueued here so far. */
  releaseTo(stream: Pointer): void {
    if (!this.queue.ask(({ hb_hand_over }, queue) => hb_hand_over?.(queue, stream), "hb_hand_over"))
      throw noForeignMemory(this.name);
  }

  #lookAt(address: Pointer, byteLength: number): number {
    const found = new Int32Array(1);
    const look = ({ hb_look_at }: NativeFunctions, queue: Pointer) => hb_look_at?.(queue, address, byteLength, found);
    if (!this.queue.ask(look, "hb_look_at")) throw noForeignMemory(this.name);
    return found[0]!;
  }

  /** Memory of the device for what `use` enqueues. */
  withScratch(byteLength: number, use: (scratch: Pointer) => void): void {
    const scratch = this.#take(byteLength, false);
    try {
      use(scratch);
    } finally {
      this.#release(scratch);
    }
  }

  /** Enqueues; the returned check tells what a launch is not there to see: its entries may fail when their turn comes. */
  #run<Out extends object>(out: Out, launch: () => undefined | (() => Promise<void>)): void | (() => Promise<void>) {
    for (const tensor of Object.values<Tensor>(out as Record<string, Tensor>)) this.packed.drop(pointerOf(tensor));
    const before = this.queue.last;
    const check = launch();
    const last = this.queue.last;
    if (this.queue.isDone(last)) {
      this.queue.expectDone(before, last);
      return check;
    }
    return lateCheck(this.queue, before, last, check);
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

  #release(pointer: Pointer): void {
    this.#paged.delete(pointer);
    if (this.#live.delete(pointer)) this.queue.free(pointer);
  }

  #take(byteLength: number, zeroed: boolean): Pointer {
    const pointer = this.queue.allocate(byteLength, zeroed);
    this.#live.add(pointer);
    return pointer;
  }

  #takePaged(byteLength: number, zeroed: boolean): Pointer {
    const pointer = this.queue.allocatePaged(byteLength, zeroed);
    this.#live.add(pointer);
    this.#paged.add(pointer);
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

/** Made apart from the launch, as the one below. */
const lateCheck = (queue: NativeQueue, before: Entry, last: Entry, check?: () => Promise<void>) => async () => {
  await queue.settled(last, before);
  await check?.();
};

/** Made apart from the launch, so that it does not keep the operation's tensors alive. */
const checkOf = (queue: NativeQueue, entry: Entry, found: BigInt64Array) => async (): Promise<void> => {
  await queue.settled(entry);
  const index = Number(found[0]);
  if (index >= 0) throw nonFiniteInput(index);
};

const isPowerOfTwo = (size: number): boolean => size > 0 && Number.isInteger(Math.log2(size));

function unsupported(message: string): Reason {
  const { code, remedy } = halfbyteError("UNSUPPORTED_KERNEL", message);
  return { code, message, remedy };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw halfbyteError("ABORTED", "Reading a tensor was aborted.", { cause: signal.reason });
}
