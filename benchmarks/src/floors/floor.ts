/** The floor of a case: the time in which this machine can do its reading, writing or multiplying and nothing else. */

import { median } from "../measure/statistics.js";
import type { Subject } from "../measure/subject.js";
import { copiesOf, type Temperature } from "../spec.js";
import { type FloorKind, isMemoryKind } from "./kinds.js";
import { type FloorLibrary, variants, workUnit } from "./library.js";

export interface FloorRequest {
  readonly kind: FloorKind;
  /** Bytes, or multiply-adds. */
  readonly work: number;
  readonly temperature: Temperature;
}

export interface Floor {
  readonly kind: FloorKind;
  /** One per variant of the loop. */
  readonly subjects: readonly Subject[];
  /** The best variant's median, from the times of the subjects. */
  medianOf(times: readonly (readonly number[])[]): number;
  dispose(): void;
}

/** Where floors come from: loops on the CPU, or kernels on a GPU. */
export interface FloorSource {
  open(request: FloorRequest): Floor;
}

/** Loops on this many threads. */
export const cpuFloors = (library: FloorLibrary, threads: number): FloorSource => ({
  open: (request) => openFloor(library, request, threads),
});

/** More memory than this is read by parts of it. */
const memoryLimit = 2 ** 30;
/** Long enough for the clock, short enough for a turn: 2 ms of f32 on a fast core. */
const multiplies = 2 ** 28;

const roundUp = (work: number): number => Math.ceil(work / workUnit) * workUnit;

/** Measures what fits and scales it to what was asked for. */
function measuredWork({ kind, work }: FloorRequest): number {
  return isMemoryKind(kind) ? roundUp(Math.min(work, memoryLimit)) : multiplies;
}

export function openFloor(library: FloorLibrary, request: FloorRequest, threads: number): Floor {
  const { kind, temperature } = request;
  const work = measuredWork(request);
  const windowBytes = kind === "copy" ? 2 * work : work;
  const windows = isMemoryKind(kind) ? copiesOf(work, temperature) : 1;
  const memory = isMemoryKind(kind) ? library.allocate(windows * windowBytes) : null;
  let next = 0;
  const run = (variant: number, count: number): Float64Array => {
    const times = new Float64Array(count);
    library.run({ kind, variant, threads, memory, work, windows, first: next % windows }, times);
    next += count;
    return times;
  };
  const subject = (variant: number): Subject => ({
    async sample(count, rewarm) {
      const all = run(variant, rewarm ? count + 1 : count);
      return Array.from(rewarm ? all.subarray(1) : all, (time) => (time * request.work) / work);
    },
  });
  return {
    kind,
    subjects: Array.from({ length: variants }, (_, variant) => subject(variant)),
    medianOf: (times) => Math.min(...times.map(median)),
    dispose: () => memory !== null && library.free(memory),
  };
}
