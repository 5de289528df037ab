/**
 * What becomes known only after a call has returned: non-finite input, a lost device, late out-of-memory. A fault belongs to
 * the operation, travels with every tensor derived from its outputs, and is told by whoever waits: read() or synchronize().
 */

export class Fault {
  #state: "pending" | "clean" | "failed" = "pending";
  #asked: Promise<void> | undefined;
  #seen = false;

  /** @param check rejects with the fault once the operation is done */
  constructor(readonly check: () => Promise<void>) {}

  get isClean(): boolean {
    return this.#state === "clean";
  }

  /** Failed, but no read() or synchronize() has rejected with it yet. */
  get isUnseen(): boolean {
    return !this.#seen;
  }

  /** Waits for the operation; rejects with its fault. Asks the device once. */
  ask(): Promise<void> {
    this.#asked ??= this.check().then(
      () => void (this.#state = "clean"),
      (thrown) => {
        this.#state = "failed";
        throw thrown;
      },
    );
    return this.#asked;
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

/** The faults of one backend that nobody has asked about, oldest first; bounded by asking the oldest in the background. */
export class FaultLog {
  #unasked: Fault[] = [];

  add(fault: Fault): void {
    this.#unasked.push(fault);
    if (this.#unasked.length > backlogLimit) void this.#settleOldest();
  }

  async #settleOldest(): Promise<void> {
    await Promise.allSettled(this.#unasked.slice(0, backlogLimit / 2).map((fault) => fault.ask()));
    this.#unasked = openFaults(this.#unasked).filter((fault) => fault.isUnseen);
  }

  /** Rejects with the first fault nobody has seen; the others stay for the next call. */
  async tellFirst(): Promise<void> {
    const faults = this.#unasked;
    for (const fault of faults) {
      if (!fault.isUnseen) continue;
      await fault.tell();
    }
    this.#unasked = this.#unasked.filter((fault) => !faults.includes(fault));
  }
}
