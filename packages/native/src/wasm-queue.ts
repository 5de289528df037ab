/**
 * A queue of a WebAssembly library, whose one thread is the caller's: each turn of the event loop gets a few milliseconds of its work. Copies
 * between the module's memory and the host's are entries of it too, and done here.
 */
import { nextTurn } from "@halfbyte/core";
import { status } from "./abi.js";
import type { Entry, Pointer, Status } from "./functions.js";
import { type FunctionName, type WasmLibrary, WasmTrap } from "./wasm-library.js";

/** Milliseconds per turn. */
const slice = 4;
/** Milliseconds that one step shall take; how long it does take shows how far the library's estimates are off. */
const shortStep = 0.25;
const longStep = 1;
const largestEstimate = 1e6;
/** Bytes copied at a time, a fraction of a millisecond. */
const pieceBytes = 1 << 20;

const state = { idle: 0, working: 1, held: 2 } as const;

type Done = (thrown: Error | null, result: Status) => void;

/** Copies a piece; true when it was the last one. */
type Transfer = () => boolean;

export class WasmQueue {
  #transfers: Transfer[] = [];
  #waits: { readonly entry: Entry; readonly done: Done }[] = [];
  #isScheduled = false;
  #inlineAllowed = false;
  /** Nanoseconds of work asked for in one step, by the library's estimate. */
  #estimate = shortStep * 1e6;

  constructor(
    readonly library: WasmLibrary,
    readonly pointer: Pointer,
  ) {}

  /** A call that enqueues. */
  enqueue(name: FunctionName, args: readonly unknown[]): Status {
    const result = this.#statusOf(() => this.library.call(name, this.pointer, ...(args as [])));
    this.#schedule();
    return result;
  }

  /** Null when there is no memory. */
  allocate(bytes: number, zeroed: number): Pointer | null {
    let pointer: Pointer | null = null;
    const result = this.#statusOf(() => {
      pointer = this.library.call("hb_alloc", this.pointer, bytes, zeroed) as Pointer | null;
      return status.ok;
    });
    this.#schedule();
    return result === status.ok ? pointer : null;
  }

  allowInline(allowed: number): void {
    this.#inlineAllowed = allowed !== 0;
    this.library.call("hb_queue_allow_inline", this.pointer, allowed);
  }

  /** Copying into place costs the caller no more than copying aside. */
  write(target: Pointer, offset: number, host: Uint8Array, adopt: boolean): Status {
    const start = target + BigInt(offset);
    if (this.#isIdle) {
      this.library.bytes(start, host.byteLength).set(host);
      return status.ok;
    }
    const bytes = adopt ? host : host.slice();
    return this.#transfer(bytes.byteLength, (from, to) =>
      this.library.bytes(Number(start) + from, to - from).set(bytes.subarray(from, to)),
    );
  }

  read(source: Pointer, offset: number, host: Uint8Array): Status {
    const start = Number(source) + offset;
    const copy = (from: number, to: number) => host.set(this.library.bytes(start + from, to - from), from);
    const isSmall = this.#inlineAllowed && host.byteLength <= pieceBytes;
    if (!this.#isIdle || !isSmall) return this.#transfer(host.byteLength, copy);
    copy(0, host.byteLength);
    return status.ok;
  }

  /** Does the work up to this entry now. */
  wait(entry: Entry): Status {
    while (!this.#isDone(entry)) this.#step();
    return this.#statusOf(() => this.library.call("hb_queue_wait", this.pointer, entry));
  }

  /** Calls back when the entry is done. */
  waitLater(entry: Entry, done: Done): void {
    this.#waits.push({ entry, done });
    this.#schedule();
  }

  #transfer(byteLength: number, copy: (from: number, to: number) => void): Status {
    let at = 0;
    const result = this.enqueue("hb_queue_hold", []);
    if (result !== status.ok) return result;
    this.#transfers.push(() => {
      const end = Math.min(at + pieceBytes, byteLength);
      copy(at, end);
      at = end;
      return at === byteLength;
    });
    return result;
  }

  /** What the call returns, or what a trap in it has come to. */
  #statusOf(call: () => unknown): Status {
    try {
      return Number(call());
    } catch (thrown) {
      if (thrown instanceof WasmTrap) return this.library.recover(this.pointer);
      throw thrown;
    }
  }

  get #isIdle(): boolean {
    return this.#isDone(this.library.call("hb_queue_last", this.pointer) as Entry);
  }

  #isDone(entry: Entry): boolean {
    return this.library.call("hb_queue_done", this.pointer, entry) === 1;
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#waits.length === 0 && this.#isIdle)) return;
    this.#isScheduled = true;
    nextTurn(() => this.#run());
  }

  /** A turn's share of the work. */
  #run(): void {
    this.#isScheduled = false;
    const end = performance.now() + slice;
    while (this.#step() && performance.now() < end);
    this.#callBack();
    this.#schedule();
  }

  /** Whether work is left. */
  #step(): boolean {
    const start = performance.now();
    const found = this.#stepLibrary();
    this.#learn(performance.now() - start);
    if (found === state.held) this.#copyPiece();
    return found !== state.idle;
  }

  #stepLibrary(): number {
    try {
      return Number(this.library.call("hb_queue_step", this.pointer, this.#estimate));
    } catch (thrown) {
      if (!(thrown instanceof WasmTrap)) throw thrown;
      this.library.recover(this.pointer);
      return state.working;
    }
  }

  #copyPiece(): void {
    if (!this.#transfers[0]!()) return;
    this.#transfers.shift();
    this.library.call("hb_queue_pass", this.pointer);
  }

  #learn(milliseconds: number): void {
    if (milliseconds > longStep) this.#estimate /= 2;
    else if (milliseconds < shortStep) this.#estimate = Math.min(this.#estimate * 1.5, largestEstimate);
  }

  #callBack(): void {
    const done = this.#waits.filter(({ entry }) => this.#isDone(entry));
    this.#waits = this.#waits.filter((wait) => !done.includes(wait));
    for (const { entry, done: call } of done) call(null, this.wait(entry));
  }
}
