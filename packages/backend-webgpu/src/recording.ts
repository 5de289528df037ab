/** One launch while it enqueues its dispatches, and afterwards the check of what became of them. */
import { type NonFinite, nonFiniteInput, type Storage } from "@halfbyte/core";
import { webgpuOf } from "./buffers.js";
import type { CommandStream } from "./command-stream.js";
import { type Dispatch, isSlice, type Operand } from "./dispatch.js";
import type { FaultWord, FaultWords } from "./fault-words.js";
import type { HeldQueue } from "./held-queue.js";
import type { Memory } from "./memory.js";
import type { Launcher } from "./operations/operation.js";
import type { Pipelines } from "./pipelines.js";
import type { Traits } from "./traits.js";

/** What launches share. */
export interface Engine {
  readonly traits: Traits;
  readonly queue: HeldQueue;
  readonly commands: CommandStream;
  readonly pipelines: Pipelines;
  readonly memory: Memory;
  readonly faults: FaultWords;
  table(format: string): Storage;
  /** Throws when the device is gone. */
  expectAlive(): void;
}

interface Enqueued {
  readonly passed: Promise<void> | undefined;
  accepted: Promise<void> | undefined;
}

export class Recording implements Launcher {
  readonly traits: Traits;
  readonly #engine: Engine;
  readonly #scratch: Storage[] = [];
  readonly #enqueued: Enqueued[] = [];
  readonly #allocated = new Set<Promise<void>>();
  readonly #watched: { readonly word: FaultWord; readonly firstElement: number }[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.traits = engine.traits;
  }

  table(format: string): Storage {
    return this.#engine.table(format);
  }

  scratch(byteLength: number): Storage {
    const storage = this.#engine.memory.allocate(byteLength, false);
    this.#scratch.push(storage);
    return storage;
  }

  watch(nonFinite: NonFinite | undefined, firstElement = 0): FaultWord {
    const word = this.#engine.faults.take();
    if (nonFinite !== "propagate") this.#watched.push({ word, firstElement });
    return word;
  }

  run(dispatch: Dispatch): void {
    const { queue, pipelines } = this.#engine;
    const compiled = pipelines.get(dispatch);
    for (const operand of [...dispatch.reads, ...dispatch.writes])
      for (const { allocated } of webgpuOf(storageIn(operand)).pieces) this.#allocated.add(allocated);
    const enqueue = () => (enqueued.accepted = this.#encode(dispatch, compiled));
    const enqueued: Enqueued = { passed: undefined, accepted: undefined };
    const passed = queue.enqueue(enqueue, compiled.pipeline ? undefined : compiled.ready);
    this.#enqueued.push(passed ? Object.assign(enqueued, { passed }) : enqueued);
  }

  #encode(dispatch: Dispatch, compiled: ReturnType<Pipelines["get"]>): Promise<void> {
    const { commands, memory } = this.#engine;
    const { kernel, params, reads, writes, workgroups } = dispatch;
    const bound = [
      ...reads.map((operand) => memory.bind(operand, false)),
      ...writes.map((operand) => memory.bind(operand, true)),
    ];
    const bindings = bound.map(({ binding }) => binding);
    const accepted = commands.dispatch({ kernel, compiled, params, bindings, workgroups });
    for (const { done } of bound) done();
    return accepted;
  }

  /** Ends the launch. The check holds on to none of its tensors. */
  finish(): () => Promise<void> {
    const engine = this.#engine;
    for (const storage of this.#scratch) engine.memory.free(storage);
    const [enqueued, allocated, watched] = [this.#enqueued, this.#allocated, this.#watched];
    return async () => {
      await settled(enqueued, allocated).finally(() => engine.expectAlive());
      for (const { word, firstElement } of watched) {
        const index = await word.first();
        if (index !== undefined) throw nonFiniteInput(firstElement + index);
      }
    };
  }
}

const storageIn = (operand: Operand): Storage => (isSlice(operand) ? operand.storage : operand);

async function settled(enqueued: readonly Enqueued[], allocated: Iterable<Promise<void>>): Promise<void> {
  await Promise.all(allocated);
  await Promise.all(enqueued.map(({ passed }) => passed));
  await Promise.all(enqueued.map(({ accepted }) => accepted));
}
