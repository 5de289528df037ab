/**
 * Where the figures of GPUs come from: NVML, else nvidia-smi, else nowhere, and then why. One reader for the life of a monitor: NVML
 * stays open between two readings, because starting it wakes up the GPUs.
 */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { GpuReading } from "./gpu-reading.js";
import type { MonitoredWorld } from "./monitored-world.js";
import { nvidiaSmiGpus } from "./nvidia-smi.js";
import { isNvml, type Nvml, openNvml } from "./nvml.js";

export interface Telemetry {
  readonly source: "nvml" | "nvidia-smi" | "none";
  /** Absent when there is no source: not the same as no GPU. */
  readonly gpus?: readonly GpuReading[];
  /** Why it is not NVML. */
  readonly reason?: Reason;
}

export interface TelemetryOptions {
  /** How long a call of NVML, or nvidia-smi, may take. */
  readonly limitMs?: number;
  /** How long a source is left alone after it failed: it may take all its time again. */
  readonly retryAfterMs?: number;
  readonly now?: () => number;
}

type Readings = readonly GpuReading[] | Reason;

export class GpuTelemetry {
  readonly #options: Required<TelemetryOptions>;
  #nvml: Nvml | undefined;
  /** What failed last, and when. */
  readonly #failed = new Map<"nvml" | "nvidia-smi", { readonly at: number; readonly reason: Reason }>();

  constructor(
    readonly world: MonitoredWorld,
    options: TelemetryOptions = {},
  ) {
    this.#options = { limitMs: 3000, retryAfterMs: 60_000, now: Date.now, ...options };
  }

  /** Never throws. */
  async read(signal?: AbortSignal): Promise<Telemetry> {
    // There is no NVIDIA driver for macOS, and nothing to start that would say so.
    if (this.world.platform === "darwin")
      return { source: "none", reason: reasonOf("CUDA_PLATFORM_UNSUPPORTED", "There is no CUDA on macOS.") };
    const told = await this.#ask("nvml", () => this.#readNvml());
    if (isReadings(told)) return { source: "nvml", gpus: told };
    const { limitMs } = this.#options;
    const gpus = await this.#ask("nvidia-smi", () => nvidiaSmiGpus(this.world, { limitMs, ...(signal && { signal }) }));
    if (isReadings(gpus)) return { source: "nvidia-smi", gpus, reason: told };
    return { source: "none", reason: told };
  }

  async close(): Promise<void> {
    const nvml = this.#nvml;
    this.#nvml = undefined;
    await nvml?.close();
  }

  async #ask(source: "nvml" | "nvidia-smi", read: () => Promise<Readings>): Promise<Readings> {
    const { retryAfterMs, now } = this.#options;
    const failed = this.#failed.get(source);
    if (failed && now() - failed.at < retryAfterMs) return failed.reason;
    const told = await read();
    this.#failed.delete(source);
    // That a file is not there costs nothing to find out again.
    if (!isReadings(told) && told.code !== "NVML_NOT_FOUND") this.#failed.set(source, { at: now(), reason: told });
    return told;
  }

  /** After a failure NVML is started anew: a driver that was updated needs it. */
  async #readNvml(): Promise<Readings> {
    const opened = this.#nvml ?? (await openNvml(this.world, this.#options.limitMs));
    if (!isNvml(opened)) return opened;
    this.#nvml = opened;
    const gpus = await opened.gpus();
    if (!isReadings(gpus)) await this.close();
    return gpus;
  }
}

const isReadings = (told: Readings): told is readonly GpuReading[] => !("code" in told);
