/**
 * A queue of a native library, seen from the event loop: enqueueing returns at once, waiting is a promise. Many may wait, but one
 * native wait runs at a time: entries are done in order, so whoever waits for an earlier one is served by it too.
 */
import { type ErrorCode, type HalfbyteError, halfbyteError, type Reason } from "@halfbyte/core";
import { status } from "./abi.js";
import type { EnqueueFunctions, Entry, NativeFunctions, NestedFunctions, Pointer, Status } from "./functions.js";
import { InlineBudget } from "./inline-budget.js";

type Enqueueing = EnqueueFunctions & NestedFunctions;

/** Arguments of an enqueueing function behind the queue. */
type Rest<N extends keyof Enqueueing> = Enqueueing[N] extends (queue: Pointer, ...rest: infer R) => Status ? R : never;

interface Waiter {
  readonly entry: Entry;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** Host memory that the queue will look at until `entry` is done. */
interface Kept {
  readonly entry: Entry;
  readonly bytes: ArrayBufferView;
}

export interface QueueOptions {
  readonly device: number;
  /** 0: as many as the machine has. */
  readonly threads: number;
  /** What an error number of the device's own interface means (hb_last_error). */
  readonly explain?: (error: number) => Reason | undefined;
  /** Called once, when the device is gone. */
  readonly onLost: (error: HalfbyteError) => void;
}

/** Not in browsers, whose pages take their memory with them. */
const hostProcess = (globalThis as { process?: Partial<Pick<NodeJS.Process, "on" | "off">> }).process;

/** Held until they are closed: the library may still write to memory that a queue keeps. */
const openQueues = new Set<NativeQueue>();

/** Host memory is freed with the process; nothing may be on its way into it then. */
function finishAtExit(): void {
  for (const queue of openQueues) queue.finishKept();
}

export class NativeQueue {
  readonly #budget = new InlineBudget();
  readonly #pointer: Pointer;
  #inlineAllowed: boolean | undefined;
  #waiters: Waiter[] = [];
  #waiting = false;
  #kept: Kept[] = [];
  #closed = false;

  constructor(
    readonly functions: NativeFunctions,
    readonly options: QueueOptions,
  ) {
    const created: [Pointer | null] = [null];
    this.#expectOk("hb_queue_create", functions.hb_queue_create(options.device, options.threads, created));
    this.#pointer = created[0]!;
    if (openQueues.size === 0) hostProcess?.on?.("exit", finishAtExit);
    openQueues.add(this);
  }

  /** Enqueues; the library may run it on this thread while the budget lasts. Of optional functions the caller knows that they are there. */
  enqueue<N extends keyof Enqueueing>(name: N, ...rest: Rest<N>): void {
    const call = this.functions[name] as (queue: Pointer, ...rest: readonly unknown[]) => Status;
    this.#expectOk(
      name,
      this.#onBudget(() => call(this.#pointer, ...rest)),
    );
    if (this.#kept.length > 0) this.#release();
  }

  allocate(byteLength: number, zeroed: boolean): Pointer {
    const tensor = this.#onBudget(() => this.functions.hb_alloc(this.#pointer, byteLength, zeroed ? 1 : 0));
    if (tensor !== null) return tensor;
    this.#expectOk("hb_alloc", this.functions.hb_queue_wait(this.#pointer, 0));
    throw outOfMemory(`The device cannot allocate ${byteLength} bytes.`, byteLength);
  }

  get hasPaging(): boolean {
    return this.functions.hb_alloc_paged !== undefined;
  }

  /** Memory of the host that stands for the device's; only where there is paging. */
  allocatePaged(byteLength: number, zeroed: boolean): Pointer {
    const tensor = this.#onBudget(() => this.functions.hb_alloc_paged?.(this.#pointer, byteLength, zeroed ? 1 : 0));
    if (tensor) return tensor;
    this.#expectOk("hb_alloc_paged", this.functions.hb_queue_wait(this.#pointer, 0));
    throw outOfMemory(`The host cannot allocate ${byteLength} bytes of pinned memory.`, byteLength);
  }

  free(tensor: Pointer): void {
    if (!this.#closed) this.functions.hb_free(this.#pointer, tensor);
  }

  /** A call that puts no entry on the queue; false where the library has no such function. */
  ask(call: (functions: NativeFunctions, queue: Pointer) => Status | undefined, what: string): boolean {
    const result = this.#onBudget(() => call(this.functions, this.#pointer));
    if (result === undefined) return false;
    this.#expectOk(what, result);
    return true;
  }

  /** The entry enqueued last. */
  get last(): Entry {
    return this.#closed ? 0 : this.functions.hb_queue_last(this.#pointer);
  }

  /** Holds host memory until the entry enqueued last is done; returns that entry. */
  keep(bytes: ArrayBufferView): Entry {
    const entry = this.last;
    if (!this.isDone(entry)) this.#kept.push({ entry, bytes });
    return entry;
  }

  /** Resolves when the entry is done, whatever became of it; rejects when the device is lost. */
  async finished(entry: Entry): Promise<void> {
    if (this.#closed) return;
    if (!this.isDone(entry)) return this.#waitFor(entry);
  }

  /** Resolves when the entries after `before` up to `last` are done; rejects with the first late failure among them. */
  async settled(last: Entry, before: Entry = Number(last) - 1): Promise<void> {
    await this.finished(last);
    this.expectDone(before, last);
  }

  /** Throws the first late failure of the entries after `before` up to `last`, all of which are done. */
  expectDone(before: Entry, last: Entry): void {
    for (let entry = Number(before) + 1; entry <= last; entry++) {
      const failure = this.#lateFailure(entry);
      if (failure) throw failure;
    }
  }

  #waitFor(entry: Entry): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ entry, resolve, reject });
      if (!this.#waiting) this.#waitForFirst();
    });
  }

  drain(): Promise<void> {
    return this.finished(this.last);
  }

  /** After the work and everyone who waits for it. */
  async close(): Promise<void> {
    await this.drain().catch(() => undefined);
    // Their entries may be done already: what is left is a native wait, which ends in a turn of the event loop.
    while (this.#waiters.length > 0) await this.#waitFor(this.last).catch(() => undefined);
    if (this.#closed) return;
    this.#closed = true;
    this.functions.hb_queue_destroy(this.#pointer);
    this.#kept = [];
    openQueues.delete(this);
    if (openQueues.size === 0) hostProcess?.off?.("exit", finishAtExit);
  }

  /** Blocks until the queue looks at no host memory any more. */
  finishKept(): void {
    const last = this.#kept.at(-1);
    if (last) this.functions.hb_queue_wait(this.#pointer, last.entry);
  }

  isDone(entry: Entry): boolean {
    return this.functions.hb_queue_done(this.#pointer, entry) === 1;
  }

  /** A call that may do its work at once, while the budget of this turn lasts. */
  #onBudget<T>(call: () => T): T {
    if (this.#closed) throw halfbyteError("BACKEND_CLOSED", "The device was closed.");
    this.#limitInline(!this.#budget.isSpent);
    const start = performance.now();
    try {
      return call();
    } finally {
      this.#budget.charge(start);
    }
  }

  #limitInline(allowed: boolean): void {
    if (allowed === this.#inlineAllowed) return;
    this.#inlineAllowed = allowed;
    this.functions.hb_queue_allow_inline(this.#pointer, allowed ? 1 : 0);
  }

  #waitForFirst(): void {
    const first = this.#waiters[0];
    this.#waiting = first !== undefined;
    if (!first) return;
    this.functions.hb_queue_wait.async(this.#pointer, first.entry, (thrown: Error | null) => {
      if (thrown) this.#waiters.shift()?.reject(thrown);
      this.#serveDone();
      this.#waitForFirst();
    });
  }

  /** Everyone whose entry is done by now. */
  #serveDone(): void {
    this.#release();
    const firstOpen = this.#waiters.findIndex(({ entry }) => !this.isDone(entry));
    const done = this.#waiters.splice(0, firstOpen < 0 ? this.#waiters.length : firstOpen);
    for (const { entry, resolve, reject } of done) {
      const failure = this.#lateFailure(entry);
      if (failure?.code === "DEVICE_LOST") reject(failure);
      else resolve();
    }
  }

  /** Of an entry that is done: asking does not block. */
  #lateFailure(entry: Entry): HalfbyteError | undefined {
    if (this.#closed || entry === 0) return undefined;
    return this.#failure("the queue", this.functions.hb_queue_wait(this.#pointer, entry));
  }

  #release(): void {
    const first = this.#kept.findIndex(({ entry }) => !this.isDone(entry));
    this.#kept = first < 0 ? [] : this.#kept.slice(first);
  }

  #expectOk(what: string, result: Status): void {
    const failure = this.#failure(what, result);
    if (failure) throw failure;
  }

  #failure(what: string, result: Status): HalfbyteError | undefined {
    if (result === status.ok) return undefined;
    const number = this.functions.hb_last_error?.() ?? 0;
    const error = failureOf(what, result, number, number === 0 ? undefined : this.options.explain?.(number));
    if (result === status.deviceLost) this.options.onLost(error);
    return error;
  }
}

const outOfMemory = (message: string, expected: number): HalfbyteError =>
  halfbyteError("OUT_OF_MEMORY", message, { details: { expected } });

/** A status that says no more than that something failed takes the code of the device's own error. */
function failureOf(what: string, result: Status, number: number, explained: Reason | undefined): HalfbyteError {
  const [code, message] = failures[result] ?? unknownFailure;
  const isOpening = what === "hb_queue_create";
  const told = `${isOpening ? "The device did not open" : message} (${what}, status ${result}${number === 0 ? "" : `, error ${number}`}).`;
  if (!explained) return halfbyteError(code, told);
  const better = isOpening || code === "KERNEL_FAILED" ? (explained.code as ErrorCode) : code;
  return halfbyteError(better, `${told} ${explained.message}`, { remedy: explained.remedy });
}

type Failure = readonly [ErrorCode, string];

const unknownFailure: Failure = ["KERNEL_FAILED", "A native call failed"];
const failures: Readonly<Record<number, Failure>> = {
  [status.outOfMemory]: ["OUT_OF_MEMORY", "The device ran out of memory"],
  [status.unsupported]: ["UNSUPPORTED_KERNEL", "The library has no kernel for these arguments"],
  [status.deviceLost]: ["DEVICE_LOST", "The device was lost"],
  [status.failed]: unknownFailure,
};
