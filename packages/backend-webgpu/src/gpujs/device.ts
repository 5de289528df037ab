/** A Device over gpu.js: tensors are host bytes, and an operation is a job in the queue that runs its kernels one after the other. */
import {
  type Device,
  halfbyteError,
  isHalfbyteError,
  type Launch,
  messageOf,
  type OpName,
  type Ops,
  type Reason,
  type Storage,
  throwIfAborted,
} from "@halfbyte/core";
import type { Engine } from "./engine.js";
import { type Job, type Operation, operations } from "./operations.js";
import { Queue } from "./queue.js";
import { HostStorage, hostOf } from "./storage.js";

export class GpujsDevice implements Device {
  readonly name = "webgpu";
  readonly tier: string;
  readonly limits = { maxTensorBytes: 2 ** 31 };
  readonly lost: Promise<Reason>;
  readonly #engine: Engine;
  readonly #queue = new Queue();
  #loss: Reason | undefined;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.tier = engine.tier;
    this.lost = new Promise((resolve) => {
      engine.onLost = (message) => resolve(this.#lose(message));
    });
  }

  /** What kernels hold of weights and activations, beside their bytes. */
  get packedBytes(): number {
    return this.#engine.residentBytes;
  }

  allocate(byteLength: number): Storage {
    return new HostStorage(byteLength) as unknown as Storage;
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    const host = hostOf(target);
    const taken = adopt ? bytes : new Uint8Array(bytes);
    this.#enqueue(() => {
      try {
        host.write(taken, byteOffset);
      } catch (reason) {
        host.fail(reason as Error);
      }
    });
  }

  async read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, "Reading a tensor");
    const host = hostOf(source);
    await this.#enqueue(() => {
      throwIfAborted(signal, "Reading a tensor");
      this.#expectAlive();
      into.set(host.bytes.subarray(byteOffset, byteOffset + into.byteLength));
    });
    throwIfAborted(signal, "Reading a tensor");
  }

  free(target: Storage): void {
    this.#enqueue(() => hostOf(target).free());
  }

  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason {
    const operation: Operation<K> | undefined = operations[op];
    if (!operation) return unsupported(`the gpu.js tier decodes and multiplies only; it has no ${op}.`);
    const why = operation.refuse(args);
    if (why !== undefined) return unsupported(why);
    return {
      kernel: op,
      variant: `${this.tier}:${operation.kernel(args).name}`,
      run: (given, out) => this.#run(op, operation.job(given, out)),
    };
  }

  async drain(): Promise<void> {
    await this.#queue.settled();
    this.#expectAlive();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Enqueues; the check tells what became of the job. */
  #run(op: OpName, job: Job): () => Promise<void> {
    const done = this.#enqueue(async () => {
      try {
        this.#engine.begin();
        await job(this.#engine);
      } catch (cause) {
        throw isHalfbyteError(cause)
          ? cause
          : halfbyteError("KERNEL_FAILED", `${op} failed: ${messageOf(cause)}`, { cause });
      }
    });
    return () => done;
  }

  /** Whoever waits sees a failure; nobody has to. */
  #enqueue(run: () => void | Promise<void>): Promise<void> {
    const outcome = this.#queue.enqueue(run);
    outcome.catch(() => undefined);
    return outcome;
  }

  #lose(message: string): Reason {
    const { code, remedy } = halfbyteError("DEVICE_LOST", message);
    this.#loss = { code, message: `The WebGL2 context was lost: ${message}.`, remedy };
    return this.#loss;
  }

  #expectAlive(): void {
    if (this.#loss) throw halfbyteError("DEVICE_LOST", this.#loss.message);
    this.#engine.expectAlive();
  }

  async #close(): Promise<void> {
    await this.#queue.settled();
    await this.#engine.close();
  }
}

function unsupported(message: string): Reason {
  const { code, remedy } = halfbyteError("UNSUPPORTED_KERNEL", message);
  return { code, message, remedy };
}
