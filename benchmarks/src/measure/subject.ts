/** Something whose time is taken. */

export interface Subject {
  /** Runs `count` times and gives the nanoseconds of each; `rewarm` runs for a while before, untimed. */
  sample(count: number, rewarm: boolean): Promise<readonly number[]>;
}

const now = process.hrtime.bigint;
/** Nanoseconds until caches are filled again, and cores that slept run at their pace. */
const rewarmTime = 3e6;

/** Nanoseconds until `run` has resolved. */
export async function nanosecondsOf(run: () => Promise<void> | void): Promise<number> {
  const start = now();
  await run();
  return Number(now() - start);
}

/** A function as a subject. A run that does `units` units of work counts for one of them. */
export function timed(run: () => Promise<void> | void, units = 1): Subject {
  return {
    async sample(count, rewarm) {
      for (let spent = 0; rewarm && spent < rewarmTime; ) spent += await nanosecondsOf(run);
      const times: number[] = [];
      for (let i = 0; i < count; i++) times.push((await nanosecondsOf(run)) / units);
      return times;
    },
  };
}
