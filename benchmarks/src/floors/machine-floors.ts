/** What the machine can do at best, independent of any case: one figure per kind and number of threads. */
import { interleave } from "../measure/interleave.js";
import type { Temperature } from "../spec.js";
import { type FloorRequest, openFloor } from "./floor.js";
import { type FloorKind, type FloorLibrary, isMemoryKind } from "./library.js";

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

const requests: readonly FloorRequest[] = [
  { kind: "read", work: layerBytes, temperature: "warm" },
  { kind: "read", work: layerBytes, temperature: "cold" },
  { kind: "write", work: outputBytes, temperature: "cold" },
  { kind: "copy", work: outputBytes, temperature: "cold" },
  { kind: "fma-f32", work: 2 ** 28, temperature: "warm" },
  { kind: "dot-int16", work: 2 ** 28, temperature: "warm" },
  { kind: "dot-int8", work: 2 ** 28, temperature: "warm" },
];

export async function measureMachineFloors(
  library: FloorLibrary,
  threadCounts: readonly number[],
  rounds: number,
): Promise<MachineFloor[]> {
  const floors: MachineFloor[] = [];
  for (const threads of threadCounts)
    for (const request of requests) floors.push(await measure(library, request, threads, rounds));
  return floors;
}

async function measure(
  library: FloorLibrary,
  request: FloorRequest,
  threads: number,
  rounds: number,
): Promise<MachineFloor> {
  const { kind, temperature, work } = request;
  const floor = openFloor(library, request, threads);
  try {
    const nanoseconds = floor.medianOf(await interleave(floor.subjects, { rounds, warm: temperature === "warm" }));
    const isMemory = isMemoryKind(kind);
    return {
      kind,
      threads,
      temperature,
      rate: ((isMemory ? 1 : 2) * work) / nanoseconds,
      unit: isMemory ? "GB/s" : "GOP/s",
    };
  } finally {
    floor.dispose();
  }
}
