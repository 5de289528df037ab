/** The in-order queue: an entry starts when the one before it is done, whatever became of that. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  enqueue(run: () => void | Promise<void>): Promise<void> {
    const outcome = this.#last.then(run);
    this.#last = outcome.catch(() => undefined);
    return outcome;
  }

  /** Everything enqueued so far is done. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
