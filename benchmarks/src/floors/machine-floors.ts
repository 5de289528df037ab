/** What the machine can do at best, independent of any case: one figure per kind and number of threads. */

import { type Clock, wallClock } from "../measure/clock.js";
import { interleave } from "../measure/interleave.js";
import type { Temperature } from "../spec.js";
import type { FloorRequest, FloorSource } from "./floor.js";
import { type FloorKind, isMemoryKind } from "./kinds.js";

export interface MachineFloor {
  readonly kind: FloorKind;
  readonly threads: number;
  readonly temperature: Temperature;
  /** GB/s of bytes read, written or copied; or GOP/s, a multiply-add being two. */
  readonly rate: number;
  readonly unit: "GB/s" | "GOP/s";
}

/** One layer of 4096 × 4096 in 4 bits, and its activations' worth of writing. */
const layerBytes = 9_437_184;
const outputBytes = 4096 * 4096 * 4;

export const floorRequests: readonly FloorRequest[] = [
  { kind: "read", work: layerBytes, temperature: "warm" },
  { kind: "read", work: layerBytes, temperature: "cold" },
  { kind: "write", work: outputBytes, temperature: "cold" },
  { kind: "copy", work: outputBytes, temperature: "cold" },
  { kind: "fma-f32", work: 2 ** 28, temperature: "warm" },
  { kind: "dot-int16", work: 2 ** 28, temperature: "warm" },
  { kind: "dot-int8", work: 2 ** 28, temperature: "warm" },
];

/** One figure per request. */
export async function measureMachineFloors(
  source: FloorSource,
  threads: number,
  rounds: number,
  { requests = floorRequests, clock = wallClock }: { requests?: readonly FloorRequest[]; clock?: Clock } = {},
): Promise<MachineFloor[]> {
  const floors: MachineFloor[] = [];
  for (const request of requests) floors.push({ threads, ...(await measure(source, request, rounds, clock)) });
  return floors;
}

async function measure(
  source: FloorSource,
  request: FloorRequest,
  rounds: number,
  clock: Clock,
): Promise<Omit<MachineFloor, "threads">> {
  const { kind, temperature, work } = request;
  const floor = source.open(request);
  try {
    const times = await interleave(floor.subjects, { rounds, warm: temperature === "warm", clock });
    const isMemory = isMemoryKind(kind);
    const rate = ((isMemory ? 1 : 2) * work) / floor.medianOf(times);
    return { kind, temperature, rate, unit: isMemory ? "GB/s" : "GOP/s" };
  } finally {
    floor.dispose();
  }
}
