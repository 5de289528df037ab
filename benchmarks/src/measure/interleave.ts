/**
 * A B A B …: subjects take turns, so that whatever else the machine does meets all of them alike. A turn is a burst of runs after
 * untimed ones, which bring back to the caches what the others have driven out.
 */
import { type Clock, wallClock } from "./clock.js";
import type { Subject } from "./subject.js";

export interface InterleaveOptions {
  readonly rounds: number;
  /** Whether each burst begins with untimed runs. */
  readonly warm: boolean;
  /** Milliseconds of rest before a turn, for the threads of the one before to park: those of onnxruntime spin for about 30. */
  readonly rest?: number;
  /** Default: the wall's. */
  readonly clock?: Clock;
}

const milliseconds = 1e6;
const burstTime = 10 * milliseconds;
/** Above it the caches' contents no longer show. */
const longRun = 50 * milliseconds;

/** Runs per turn of a subject that takes `cost` nanoseconds. */
export const burstOf = (cost: number): number => Math.min(20, Math.max(1, Math.round(burstTime / cost)));

/** Turns of a subject: slow ones get fewer. */
export function roundsOf(cost: number, rounds: number): number {
  if (cost > 2000 * milliseconds) return 1;
  return cost > 300 * milliseconds ? Math.min(rounds, 3) : rounds;
}

/** The times of each subject in nanoseconds. */
export async function interleave(subjects: readonly Subject[], options: InterleaveOptions): Promise<number[][]> {
  const { clock = wallClock } = options;
  const costs: number[] = [];
  for (const subject of subjects) costs.push(await costOf(subject, clock));
  const times = subjects.map((): number[] => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      const cost = costs[i]!;
      if (round >= roundsOf(cost, options.rounds)) continue;
      if (options.rest) await sleep(options.rest);
      times[i]!.push(...(await subject.sample(burstOf(cost), options.warm && cost < longRun, clock)));
    }
  }
  return times;
}

const sleep = (time: number) => new Promise<void>((ended) => setTimeout(ended, time));

/** First runs compile, pack and map memory: a fast subject gets some more before its cost is believed. */
async function costOf(subject: Subject, clock: Clock): Promise<number> {
  const [first] = await subject.sample(1, false, clock);
  if (first! > longRun) return first!;
  const more = await subject.sample(3, false, clock);
  return Math.min(...more);
}
