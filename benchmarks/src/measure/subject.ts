/** Something whose time is taken. */
import { type Clock, type Work, wallClock } from "./clock.js";

export interface Subject {
  /** Runs `count` times and gives the nanoseconds of each; `rewarm` runs for a while before, untimed. Default clock: the wall's. */
  sample(count: number, rewarm: boolean, clock?: Clock): Promise<readonly number[]>;
}

/** Nanoseconds until caches are filled again, and cores that slept run at their pace. */
const rewarmTime = 3e6;

/** Work, or a function that waits itself, as a subject. A run that does `units` units of work counts for one of them. */
export function timed(run: Work | (() => Promise<void> | void), units = 1): Subject {
  const work: Work = typeof run === "function" ? { enqueue: run, wait: () => undefined } : run;
  return {
    async sample(count, rewarm, clock = wallClock) {
      for (let spent = 0; rewarm && spent < rewarmTime; ) spent += await clock.nanosecondsOf(work);
      const times: number[] = [];
      for (let i = 0; i < count; i++) times.push((await clock.nanosecondsOf(work)) / units);
      return times;
    },
  };
}
