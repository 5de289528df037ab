/**
 * What goes to the GPU's own queue, in call order. An entry that has to wait, for its pipeline to be compiled, holds everything behind it; when
 * nothing is held, entries run at once.
 */
interface Entry {
  readonly ready: Promise<unknown>;
  readonly run: () => void;
  readonly done: () => void;
  readonly fail: (reason: unknown) => void;
}

export class HeldQueue {
  readonly #held: Entry[] = [];
  #releasing: Promise<void> | undefined;

  get isHeld(): boolean {
    return this.#held.length > 0;
  }

  /** Undefined when it ran at once; else a promise that rejects with what `ready` or `run` failed with. */
  enqueue(run: () => void, ready?: Promise<unknown>): Promise<void> | undefined {
    if (!ready && !this.isHeld) {
      run();
      return undefined;
    }
    const outcome = new Promise<void>((done, fail) => {
      this.#held.push({ ready: ready ?? Promise.resolve(), run, done, fail });
    });
    // Whoever asks still sees it; nobody has to.
    outcome.catch(() => undefined);
    this.#releasing ??= this.#release();
    return outcome;
  }

  /** Everything enqueued so far has gone to the GPU's queue. */
  async passed(): Promise<void> {
    await this.enqueue(() => undefined);
  }

  async #release(): Promise<void> {
    for (let entry = this.#held[0]; entry; entry = this.#held[0]) {
      await attempt(entry);
      this.#held.shift();
    }
    this.#releasing = undefined;
  }
}

async function attempt({ ready, run, done, fail }: Entry): Promise<void> {
  try {
    await ready;
    run();
    done();
  } catch (reason) {
    fail(reason);
  }
}
