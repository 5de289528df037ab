/**
 * What becomes known only after a call has returned: non-finite input, a lost device, late out-of-memory. A fault belongs to
 * the operation, travels with every tensor derived from its outputs, and is told by whoever waits: read() or synchronize().
 */

export class Fault {
  #state: "pending" | "clean" | "failed" = "pending";
  #check: (() => Promise<void>) | undefined;
  #asked: Promise<void> | undefined;
  #seen = false;

  /** @param check rejects with the fault once the operation is done */
  constructor(check: () => Promise<void>) {
    this.#check = check;
  }

  get isClean(): boolean {
    return this.#state === "clean";
  }

  get isFailed(): boolean {
    return this.#state === "failed";
  }

  /** Nobody has asked about the operation yet. */
  get isUnasked(): boolean {
    return this.#asked === undefined;
  }

  /** No read() or synchronize() has rejected with it yet. */
  get isUnseen(): boolean {
    return !this.#seen;
  }

  /** Waits for the operation; rejects with its fault. Asks the device once. */
  ask(): Promise<void> {
    this.#asked ??= this.#settle();
    return this.#asked;
  }

  async #settle(): Promise<void> {
    const check = this.#check!;
    // The fault may live as long as a tensor; what the check holds on to need not.
    this.#check = undefined;
    try {
      await check();
      this.#state = "clean";
    } catch (thrown) {
      this.#state = "failed";
      throw thrown;
    }
  }

  /** Like `ask`, on behalf of a caller who will see the rejection. */
  async tell(): Promise<void> {
    try {
      await this.ask();
    } catch (thrown) {
      this.#seen = true;
      throw thrown;
    }
  }
}

/** Faults that may still turn out bad. */
export const openFaults = (faults: Iterable<Fault>): Fault[] => [...faults].filter((fault) => !fault.isClean);

/** Rejects with the first fault of a tensor. */
export async function tellAll(faults: readonly Fault[]): Promise<void> {
  for (const fault of faults) await fault.tell();
}

const backlogLimit = 64;
const failureLimit = 1_000;

/**
 * The faults of one backend that nobody has seen, oldest first. It stays small when nobody ever asks: the oldest are asked in
 * the background, and of those that failed only the first `failureLimit` are kept.
 */
export class FaultLog {
  #unseen: Fault[] = [];
  #settling = false;

  add(fault: Fault): void {
    this.#unseen.push(fault);
    if (this.#unseen.length > backlogLimit && !this.#settling) void this.#settleBacklog();
  }

  async #settleBacklog(): Promise<void> {
    this.#settling = true;
    for (let oldest = this.#oldestUnasked(); oldest.length > 0; oldest = this.#oldestUnasked()) {
      await Promise.allSettled(oldest.map((fault) => fault.ask()));
      this.#prune();
    }
    this.#settling = false;
  }

  /** Those over the limit; the youngest may still be running. */
  #oldestUnasked(): Fault[] {
    return this.#unseen.filter((fault) => fault.isUnasked).slice(0, -backlogLimit / 2);
  }

  #prune(): void {
    const left = openFaults(this.#unseen).filter((fault) => fault.isUnseen);
    const failed = left.filter((fault) => fault.isFailed);
    const dropped = new Set(failed.slice(failureLimit));
    this.#unseen = left.filter((fault) => !dropped.has(fault));
  }

  /** Rejects with the first fault nobody has seen; the others stay for the next call. */
  async tellFirst(): Promise<void> {
    for (const fault of [...this.#unseen]) if (fault.isUnseen) await fault.tell();
    this.#prune();
  }
}
