/**
 * A sample as Prometheus metrics, in a registry of its own. Labels are few and bounded: no paths, no messages. What a GPU does not
 * tell has no value, rather than a zero.
 */
import {
  changeCatalogue,
  formatVersion,
  type GpuReading,
  isChosen,
  type MonitorSample,
  standingOf,
} from "@halfbyte/backend-cuda";
import { version } from "@halfbyte/core";
import { Counter, Gauge, Registry } from "prom-client";

type Figure = readonly [name: string, help: string, of: (gpu: GpuReading) => number | undefined];

const figures: readonly Figure[] = [
  ["halfbyte_gpu_memory_used_bytes", "Memory in use on the GPU.", ({ memory }) => memory?.usedBytes],
  ["halfbyte_gpu_memory_total_bytes", "Memory of the GPU.", ({ memory }) => memory?.totalBytes],
  ["halfbyte_gpu_utilization_ratio", "Share of time in which a kernel ran: 0 to 1.", ({ utilization }) => utilization],
  ["halfbyte_gpu_temperature_celsius", "Temperature of the chip.", ({ temperatureCelsius }) => temperatureCelsius],
  ["halfbyte_gpu_power_watts", "Power drawn.", ({ powerWatts }) => powerWatts],
  ["halfbyte_gpu_lost", "1 when the GPU is there and does not answer.", ({ lost }) => (lost ? 1 : 0)],
];

const gpuLabels = ["gpu", "uuid", "name"] as const;

export class MonitorMetrics {
  readonly #registry = new Registry();
  readonly #gpu: readonly (readonly [Gauge, Figure[2]])[];
  readonly #build = this.#info("halfbyte_build_info", "The version of halfbyte.", ["version"]);
  readonly #driver = this.#info("halfbyte_driver_info", "The NVIDIA driver, or why CUDA cannot be used.", [
    "cuda",
    "kernel",
    "problem",
  ]);
  readonly #library = this.#info("halfbyte_library_info", "The library that a process started now gets, or why none.", [
    "library",
    "version",
    "verdict",
    "code",
  ]);
  readonly #source = this.#info("halfbyte_telemetry_info", "Where GPU figures come from: nvml, nvidia-smi or none.", [
    "source",
  ]);
  readonly #usable = this.#value("halfbyte_cuda_usable", "1 when a process started now gets a CUDA library.");
  readonly #degraded = this.#value("halfbyte_degraded", "1 when the chosen library runs degraded.");
  readonly #rss = this.#value("halfbyte_monitor_resident_memory_bytes", "Memory of the monitoring process.");
  readonly #cpu = this.#value("halfbyte_monitor_cpu_ratio", "Processor time of the monitoring process: 1 is one core.");
  readonly #seconds = this.#value("halfbyte_monitor_reading_seconds", "How long the last reading took.");
  readonly #time = this.#value("halfbyte_monitor_last_reading_timestamp_seconds", "When the last reading succeeded.");
  readonly #failures: Counter;
  readonly #changes: Counter<"code">;

  constructor() {
    const registers = [this.#registry];
    this.#gpu = figures.map(([name, help, of]) => [new Gauge({ name, help, labelNames: gpuLabels, registers }), of]);
    const failed = { name: "halfbyte_monitor_failures_total", help: "Readings that failed." };
    this.#failures = new Counter({ ...failed, registers });
    const changed = {
      name: "halfbyte_compatibility_changes_total",
      help: "Changes since the monitor started, by code.",
    };
    this.#changes = new Counter({ ...changed, labelNames: ["code"], registers });
    // A counter that appears with its first event shows no increase.
    for (const code of Object.keys(changeCatalogue)) this.#changes.inc({ code }, 0);
    this.#build.set({ version }, 1);
  }

  observe({ time, ms, compatibility, telemetry, process, changes }: MonitorSample): void {
    const { driver, kernelDriver = "", selection } = compatibility;
    const known = "major" in driver;
    only(this.#driver, {
      cuda: known ? formatVersion(driver) : "",
      kernel: kernelDriver,
      problem: known ? "" : driver.code,
    });
    const chosen = isChosen(selection) ? selection : { library: "", version: "", verdict: "", code: selection.code };
    only(this.#library, {
      library: chosen.library,
      version: chosen.version,
      verdict: chosen.verdict,
      code: chosen.code,
    });
    only(this.#source, { source: telemetry.source });
    this.#usable.set(isChosen(selection) ? 1 : 0);
    this.#degraded.set(standingOf(compatibility) === "degraded" ? 1 : 0);
    this.#observeGpus(telemetry.gpus ?? []);
    for (const { code } of changes) this.#changes.inc({ code });
    this.#rss.set(process.rssBytes);
    this.#cpu.set(process.cpu);
    this.#seconds.set(ms / 1000);
    this.#time.set(Date.parse(time) / 1000);
  }

  failed(): void {
    this.#failures.inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A GPU that is gone must not keep its last figures. */
  #observeGpus(gpus: readonly GpuReading[]): void {
    for (const [gauge, of] of this.#gpu) {
      gauge.reset();
      for (const gpu of gpus) {
        const value = of(gpu);
        if (value !== undefined) gauge.set({ gpu: String(gpu.index), uuid: gpu.id, name: gpu.name }, value);
      }
    }
  }

  #value(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] });
  }

  #info(name: string, help: string, labelNames: readonly string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** One set of labels is true at a time. */
function only(gauge: Gauge, labels: Readonly<Record<string, string>>): void {
  gauge.reset();
  gauge.set({ ...labels }, 1);
}
