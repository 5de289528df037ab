/** Work on the calling thread gives way to the event loop whenever it has held it for four milliseconds. */
import { nextTurn } from "@halfbyte/core";

const budgetMs = 4;

export class Turns {
  #since = performance.now();

  /** Starts counting: what went before was not this work. */
  begin(): void {
    this.#since = performance.now();
  }

  async giveWay(): Promise<void> {
    if (performance.now() - this.#since < budgetMs) return;
    await new Promise<void>((resolve) => nextTurn(resolve));
    this.begin();
  }
}
