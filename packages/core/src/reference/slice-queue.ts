/**
 * The in-order queue of tiers that run on the calling thread. Work is cut into rows; each turn of the event loop gets at
 * most four milliseconds of it, the first of them inline when the queue is idle, so that a small operation is done when its
 * call returns and a large one never blocks the loop.
 */

import { nextTurn } from "../next-turn.js";

/** One loop over independent rows, run in order of `begin`. */
export interface Phase {
  readonly rows: number;
  /** Elementary steps per row, to choose the first slice. */
  readonly rowCost: number;
  run(begin: number, end: number): void;
}

const turnBudgetMs = 4;
const stepsPerSlice = 1 << 15;

export class SliceQueue {
  #phases: Phase[] = [];
  #row = 0;
  #spentMs = 0;
  #turnRequested = false;

  enqueue(...phases: readonly Phase[]): void {
    const idle = this.#phases.length === 0;
    this.#phases.push(...phases);
    if (idle) this.#work();
  }

  /** Puts phases directly behind the one that is running now. */
  insertNext(...phases: readonly Phase[]): void {
    this.#phases.splice(1, 0, ...phases);
  }

  /** Resolves when everything enqueued before this call is done. */
  settled(): Promise<void> {
    if (this.#phases.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.enqueue({ rows: 1, rowCost: 1, run: () => resolve() }));
  }

  #work(): void {
    while (this.#phases.length > 0 && this.#spentMs < turnBudgetMs) {
      const start = performance.now();
      this.#slice(this.#phases[0]!);
      this.#spentMs += performance.now() - start;
    }
    if (this.#spentMs > 0) this.#requestTurn();
  }

  #slice(phase: Phase): void {
    const end = Math.min(phase.rows, this.#row + Math.max(1, Math.floor(stepsPerSlice / phase.rowCost)));
    if (this.#row < end) phase.run(this.#row, end);
    this.#row = end;
    if (end < phase.rows) return;
    this.#phases.shift();
    this.#row = 0;
  }

  #requestTurn(): void {
    if (this.#turnRequested) return;
    this.#turnRequested = true;
    nextTurn(() => {
      this.#turnRequested = false;
      this.#spentMs = 0;
      this.#work();
    });
  }
}
