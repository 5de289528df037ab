/** How the time of a piece of work is taken. */

/** What a row says: how its times, its floor's and its peers' were taken. */
export const timings = ["wall clock", "GPU timestamps", "repeated launches"] as const;
export type Timing = (typeof timings)[number];

/** Work of a device: enqueueing it, and waiting until everything enqueued is done. */
export interface Work {
  enqueue(): void | Promise<void>;
  wait(): void | Promise<void>;
}

export interface Clock {
  readonly timing: Timing;
  /** Of one run. */
  nanosecondsOf(work: Work): Promise<number>;
}

const now = (): number => performance.now() * 1e6;

/** Nanoseconds until `run` has resolved. */
export async function nanosecondsOf(run: () => Promise<void> | void): Promise<number> {
  const start = now();
  await run();
  return now() - start;
}

/** As a caller sees it: enqueued and waited for. */
export const wallClock: Clock = {
  timing: "wall clock",
  nanosecondsOf: ({ enqueue, wait }) =>
    nanosecondsOf(async () => {
      await enqueue();
      await wait();
    }),
};
