/** How long a device may work on the calling thread before the event loop has had a turn. */
import { nextTurn } from "@halfbyte/core";

/** Milliseconds per turn: with the operation that starts last, and what JavaScript does around each, the loop pauses for less than five. */
const budget = 3;

/** Counts the time spent in calls since the last turn of the event loop. */
export class InlineBudget {
  #spent = 0;
  #counting = false;

  get isSpent(): boolean {
    return this.#spent >= budget;
  }

  /** Adds the time since `start`, a value of performance.now(). */
  charge(start: number): void {
    this.#spent += performance.now() - start;
    if (this.#counting) return;
    this.#counting = true;
    nextTurn(() => {
      this.#spent = 0;
      this.#counting = false;
    });
  }
}
