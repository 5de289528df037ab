/**
 * The reference device: plain JavaScript over host memory. It is the specification, the oracle of every test and the last
 * fallback; it is not fast. It runs on the calling thread in slices and knows every operation, format and profile.
 */

import type { Device, Launch, Storage } from "../device.js";
import { viewAs } from "../dtype.js";
import { halfbyteError, isHalfbyteError, messageOf, throwIfAborted } from "../errors.js";
import type { OpName, Ops } from "../kernels.js";
import type { Reason } from "../registry.js";
import { isTensor, storageKey, storageOf } from "../storage.js";
import type { ArrayOf, DType, Tensor } from "../tensor.js";
import { referenceKernels } from "./kernels.js";
import { type Phase, SliceQueue } from "./slice-queue.js";

/** Host bytes, allocated when first touched, so that a snapshot of the caller's data becomes the storage without another copy. */
class HostStorage {
  #bytes: Uint8Array | undefined;
  #failure: Error | undefined;

  constructor(readonly byteLength: number) {}

  get bytes(): Uint8Array {
    if (this.#failure) throw this.#failure;
    this.#bytes ??= allocate(this.byteLength);
    return this.#bytes;
  }

  /** Takes bytes that nobody else holds. */
  become(bytes: Uint8Array): void {
    this.#bytes = bytes;
  }

  /** What was to be written here is lost: whoever looks at these bytes gets the reason instead. */
  fail(reason: Error): void {
    this.#failure = reason;
  }

  release(): void {
    this.#bytes = new Uint8Array(0);
  }
}

function allocate(byteLength: number): Uint8Array {
  try {
    return new Uint8Array(byteLength);
  } catch (cause) {
    throw halfbyteError("OUT_OF_MEMORY", `Cannot allocate ${byteLength} bytes of host memory.`, {
      cause,
      details: { expected: byteLength },
    });
  }
}

const hostOf = (storage: Storage): HostStorage => storage as unknown as HostStorage;

/** The elements of a tensor of this device, for kernels that run in its queue. */
export const hostArray = <D extends DType>(tensor: Tensor<D>): ArrayOf[D] =>
  viewAs(tensor.dtype, hostOf(storageOf(tensor)).bytes);

/** Work of one operation, and what to look at when it is done. */
export interface HostWork {
  readonly phases: readonly Phase[];
  /** Throws the fault of the operation; called after its phases. */
  readonly check?: () => void;
}

/** A kernel prepares its loops; nothing is read before the queue reaches them. */
export type HostKernel<K extends OpName> = (args: Ops[K]["in"], out: Ops[K]["out"]) => HostWork;

const copyChunk = 1 << 20;

class ReferenceDevice implements Device {
  readonly name = "reference";
  readonly tier = "reference";
  readonly limits = { maxTensorBytes: 2 ** 33 };
  readonly lost = new Promise<Reason>(() => {});
  readonly #queue = new SliceQueue();

  allocate(byteLength: number): Storage {
    return new HostStorage(byteLength) as unknown as Storage;
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    const host = hostOf(target);
    const isWhole = bytes.byteLength === host.byteLength;
    // An adopted array is the caller's again after synchronize(), so it is copied too, only later.
    const snapshot = adopt ? undefined : new Uint8Array(bytes);
    const run = () => (snapshot && isWhole ? host.become(snapshot) : host.bytes.set(snapshot ?? bytes, byteOffset));
    this.#queue.enqueue(once(() => attempt("write", run, (error) => host.fail(error))));
  }

  async read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, "Reading a tensor");
    const copy = (begin: number, end: number) => {
      const from = byteOffset + begin * copyChunk;
      const to = Math.min(byteOffset + end * copyChunk, byteOffset + into.byteLength);
      if (!signal?.aborted) into.set(hostOf(source).bytes.subarray(from, to), begin * copyChunk);
    };
    const outcome: Outcome = {};
    const phase = { rows: Math.ceil(into.byteLength / copyChunk), rowCost: copyChunk / 32, run: copy };
    this.#queue.enqueue(guarded("read", phase, outcome));
    await this.drain();
    throwIfAborted(signal, "Reading a tensor");
    if (outcome.fault) throw outcome.fault;
  }

  free(target: Storage): void {
    this.#queue.enqueue(once(() => hostOf(target).release()));
  }

  select<K extends OpName>(op: K, _args: Ops[K]["in"]): Launch<K> {
    const kernel: HostKernel<K> = referenceKernels[op];
    return { kernel: op, variant: "reference", run: (args, out) => this.#launch(op, kernel, args, out) };
  }

  drain(): Promise<void> {
    return this.#queue.settled();
  }

  close(): Promise<void> {
    return this.#queue.settled();
  }

  #launch<K extends OpName>(op: K, kernel: HostKernel<K>, args: Ops[K]["in"], out: Ops[K]["out"]): () => Promise<void> {
    const outcome: Outcome = {};
    const [source, target] = [pinned(args), pinned(out)];
    // The kernel looks at its arguments only when the queue reaches it: an input may still be written before.
    const prepare = () => this.#queue.insertNext(...phasesOf(op, kernel(source, target), outcome));
    this.#queue.enqueue(guarded(op, once(prepare), outcome));
    return checkOf(this.#queue, outcome);
  }
}

/** Arguments as they are now: their handles may be disposed before the queue gets there. */
const pinned = <T extends object>(args: T): T =>
  Object.fromEntries(Object.entries(args).map(([name, value]) => [name, pin(value)])) as T;

/** Tensors, alone or as parts of a weight. */
function pin(value: unknown): unknown {
  if (isTensor(value)) return pinnedTensor(value);
  const isWeightOrScales = typeof value === "object" && value !== null && ("scales" in value || "kind" in value);
  return isWeightOrScales ? pinned(value) : value;
}

const pinnedTensor = (tensor: Tensor): Tensor => {
  const { dtype, shape, size, byteLength } = tensor;
  return { dtype, shape, size, byteLength, [storageKey]: storageOf(tensor) } as unknown as Tensor;
};

/** What became of an operation; it outlives its arguments. */
interface Outcome {
  fault?: Error;
}

/** Made apart from the launch, so that it does not keep the operation's tensors alive. */
const checkOf = (queue: SliceQueue, outcome: Outcome) => async (): Promise<void> => {
  await queue.settled();
  if (outcome.fault) throw outcome.fault;
};

const once = (run: () => void): Phase => ({ rows: 1, rowCost: 1, run });

/** The loops of an operation, then its check. */
function phasesOf(op: OpName, { phases, check }: HostWork, outcome: Outcome): Phase[] {
  const all = check ? [...phases, once(check)] : phases;
  return all.map((phase) => guarded(op, phase, outcome));
}

/** The first exception is the fault of the operation: the rest of it is skipped and the queue goes on. */
function guarded(op: string, phase: Phase, outcome: Outcome): Phase {
  const run = (begin: number, end: number) => {
    if (!outcome.fault)
      attempt(
        op,
        () => phase.run(begin, end),
        (error) => (outcome.fault = error),
      );
  };
  return { ...phase, run };
}

function attempt(op: string, run: () => void, fail: (error: Error) => void): void {
  try {
    run();
  } catch (cause) {
    fail(
      isHalfbyteError(cause) ? cause : halfbyteError("KERNEL_FAILED", `${op} failed: ${messageOf(cause)}`, { cause }),
    );
  }
}

export const createReferenceDevice = (): Device => new ReferenceDevice();
