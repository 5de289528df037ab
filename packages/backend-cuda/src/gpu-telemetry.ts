/**
 * Where the figures of GPUs come from: NVML, else nvidia-smi, else nowhere, and then why. One reader for the life of a monitor: NVML
 * stays open between two readings, because starting it wakes up the GPUs.
 */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { GpuReading } from "./gpu-reading.js";
import { nvidiaSmiGpus } from "./nvidia-smi.js";
import { isNvml, type Nvml, openNvml } from "./nvml.js";
import { within } from "./within.js";
import type { World } from "./world.js";

export interface Telemetry {
  readonly source: "nvml" | "nvidia-smi" | "none";
  /** Absent when there is no source: not the same as no GPU. */
  readonly gpus?: readonly GpuReading[];
  /** Why it is not NVML. */
  readonly reason?: Reason;
}

export interface TelemetryOptions {
  /** How long NVML and nvidia-smi may take. */
  readonly limitMs?: number;
  /** How long nvidia-smi is left alone after it failed: it may take all its time again. */
  readonly retryAfterMs?: number;
  readonly now?: () => number;
}

type Readings = readonly GpuReading[] | Reason;

export class GpuTelemetry {
  readonly #options: Required<TelemetryOptions>;
  #nvml: Nvml | undefined;
  /** A question to NVML that was not answered in time. Until it is, no other is asked. */
  #pending: Promise<unknown> | undefined;
  #smiFailed: { readonly at: number; readonly reason: Reason } | undefined;

  constructor(
    readonly world: World,
    options: TelemetryOptions = {},
  ) {
    this.#options = { limitMs: 3000, retryAfterMs: 60_000, now: Date.now, ...options };
  }

  /** Never throws. */
  async read(signal?: AbortSignal): Promise<Telemetry> {
    // There is no NVIDIA driver for macOS, and nothing to start that would say so.
    if (this.world.platform === "darwin")
      return { source: "none", reason: reasonOf("CUDA_PLATFORM_UNSUPPORTED", "There is no CUDA on macOS.") };
    const told = await this.#askNvml();
    if (isReadings(told)) return { source: "nvml", gpus: told };
    const gpus = await this.#askSmi(signal);
    if (isReadings(gpus)) return { source: "nvidia-smi", gpus, reason: told };
    return { source: "none", reason: told };
  }

  async close(): Promise<void> {
    const nvml = this.#nvml;
    this.#nvml = undefined;
    if (nvml && !this.#pending) await within(this.#options.limitMs, nvml.close());
  }

  async #askNvml(): Promise<Readings> {
    const { limitMs } = this.#options;
    if (this.#pending) return silent(limitMs);
    const question = this.#readNvml();
    this.#pending = question.finally(() => {
      this.#pending = undefined;
    });
    return (await within(limitMs, question)) ?? silent(limitMs);
  }

  /** After a failure NVML is opened anew: a driver that was updated needs it. */
  async #readNvml(): Promise<Readings> {
    const opened = this.#nvml ?? (await openNvml(this.world));
    if (!isNvml(opened)) return opened;
    this.#nvml = opened;
    const gpus = await opened.gpus();
    if (!isReadings(gpus)) {
      this.#nvml = undefined;
      await opened.close();
    }
    return gpus;
  }

  async #askSmi(signal: AbortSignal | undefined): Promise<Readings> {
    const { limitMs, retryAfterMs, now } = this.#options;
    const failed = this.#smiFailed;
    if (failed && now() - failed.at < retryAfterMs) return failed.reason;
    const gpus = await nvidiaSmiGpus(this.world, { limitMs, ...(signal && { signal }) });
    this.#smiFailed = isReadings(gpus) || signal?.aborted ? undefined : { at: now(), reason: gpus };
    return gpus;
  }
}

const isReadings = (told: Readings): told is readonly GpuReading[] => !("code" in told);

const silent = (limitMs: number): Reason =>
  reasonOf("NVML_FAILED", `NVML has not answered within ${limitMs / 1000} s.`);
