/** What a GPU says of itself at one moment. What it does not tell is absent: laptops have no power figure, MIG parts no utilization. */
import type { Reason } from "@halfbyte/core";
import type { Capability } from "./capability.js";

export interface GpuReading {
  /** UUID where the driver tells it, else the index. */
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly capability?: Capability;
  readonly memory?: { readonly usedBytes: number; readonly totalBytes: number };
  /** Share of the last sample period in which a kernel ran: 0 to 1. */
  readonly utilization?: number;
  readonly temperatureCelsius?: number;
  readonly powerWatts?: number;
  /** It is there and does not answer. */
  readonly lost?: Reason;
}
