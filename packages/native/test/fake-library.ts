/** A library in TypeScript whose queue moves when the test says so. */
import type { Entry, NativeFunctions, Pointer, Status } from "../src/functions.js";

type Wait = (thrown: Error | null, result: Status) => void;

export class FakeLibrary {
  readonly calls: string[] = [];
  readonly inline: number[] = [];
  readonly memory = new Map<Pointer, Uint8Array>();
  /** Native waits that are running. */
  readonly waits: { entry: Entry; done: Wait }[] = [];
  destroyed = 0;
  /** What the next enqueueing call returns. */
  status: Status = 0;
  /** What waiting returns. */
  late: Status = 0;
  /** The device's own number of a failure. */
  lastError = 0;
  /** Size of every packed weight. */
  packedBytes = 0;
  /** Whether it has the functions that decode nested scales on the way. */
  decodesNested = false;
  /** What a quantizer finds. */
  fault = -1n;
  /** How long an enqueueing call works on the calling thread. */
  busyMs = 0;
  #last = 0;
  #done = 0;
  #tasks: (() => void)[] = [];
  #address = 0x1000n;

  /** Runs everything enqueued so far and ends the waits for it. */
  run(): void {
    this.pass();
    for (const wait of this.waits.splice(0)) wait.done(null, this.late);
  }

  /** Runs everything; those who wait have not heard of it yet. */
  pass(): void {
    for (const task of this.#tasks.splice(0)) task();
    this.#done = this.#last;
  }

  get functions(): NativeFunctions {
    const quantizer =
      (name: string) =>
      (_queue: Pointer, ...rest: readonly unknown[]) => {
        const target = rest.at(-1) as Pointer | null;
        return this.#enqueue(name, () => {
          if (target !== null) new DataView(this.memory.get(target)!.buffer).setBigInt64(0, this.fault, true);
        });
      };
    const other = new Proxy({} as NativeFunctions, { get: (_, name) => () => this.#enqueue(String(name), () => {}) });
    const known: Partial<NativeFunctions> = {
      hb_queue_create: (_device, _threads, queue) => {
        queue[0] = 1n;
        return 0;
      },
      hb_last_error: () => this.lastError,
      hb_queue_destroy: () => void this.destroyed++,
      hb_queue_allow_inline: (_queue, allowed) => void this.inline.push(allowed),
      hb_queue_last: () => this.#last,
      hb_queue_done: (_queue, entry) => (entry <= this.#done ? 1 : 0),
      hb_queue_wait: Object.assign(() => this.late, {
        async: (_queue: Pointer, entry: Entry, done: Wait) => void this.waits.push({ entry, done }),
        info: undefined as never,
      }),
      hb_alloc: (_queue, bytes) => this.#allocate(bytes),
      hb_free: (_queue, tensor) => void this.#enqueue("hb_free", () => this.memory.delete(tensor)),
      hb_pack_4bit_bytes: () => this.packedBytes,
      hb_pack_int8_bytes: () => this.packedBytes,
      hb_write: (_queue, tensor, offset, host) => {
        const bytes = host.slice();
        return this.#enqueue("hb_write", () => this.memory.get(tensor)!.set(bytes, offset));
      },
      hb_read: (_queue, tensor, offset, host, bytes) =>
        this.#enqueue("hb_read", () => host.set(this.memory.get(tensor)!.subarray(offset, offset + bytes))),
      hb_quantize_4bit: quantizer("hb_quantize_4bit"),
      hb_quantize_blockwise: quantizer("hb_quantize_blockwise"),
    };
    const isLeftOut = (name: string) => name.endsWith("_nested") && !this.decodesNested;
    return new Proxy(other, {
      get: (_, name: keyof NativeFunctions) => (isLeftOut(name) ? undefined : (known[name] ?? other[name])),
    });
  }

  #allocate(bytes: number): Pointer | null {
    if (bytes > 1 << 20) return null;
    this.#address += 64n;
    this.memory.set(this.#address, new Uint8Array(bytes));
    return this.#address;
  }

  #enqueue(name: string, task: () => void): Status {
    this.calls.push(name);
    const end = performance.now() + this.busyMs;
    while (performance.now() < end);
    if (this.status !== 0) return this.status;
    this.#last++;
    this.#tasks.push(task);
    return 0;
  }
}
