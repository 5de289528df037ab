/**
 * Looks at the machine every few seconds: GPU figures, and whether what decides on the CUDA library has changed. A reading starts
 * when the one before is done, never beside it. Of the past it keeps one moment, to compare with.
 */
import { setMaxListeners } from "node:events";
import { log, messageOf, throwIfAborted } from "@halfbyte/core";
import { type Compatibility, compatibilityOf, isChosen, type MadeChoice } from "./compatibility.js";
import type { CompatibilityChange } from "./compatibility-change.js";
import { compatibilityChanges } from "./compatibility-changes.js";
import { GpuTelemetry, type Telemetry } from "./gpu-telemetry.js";
import { LibraryWatch } from "./library-states.js";
import { LoadedFiles } from "./loaded-files.js";
import type { Examination, ExamineOptions } from "./machine-facts.js";
import { checkedInterval } from "./monitor-interval.js";
import type { MonitoredWorld } from "./monitored-world.js";
import { ProcessMeter, type ProcessUsage } from "./process-usage.js";
import type { SelectableLibrary } from "./select-library.js";
import { SteadyExamination } from "./steady-examination.js";

/** What the monitor asks the rest of the package; tests put their own in place. */
export interface Inspection {
  readonly world: MonitoredWorld;
  examine(world: MonitoredWorld, options?: ExamineOptions): Promise<Examination>;
  findLibraries(world: MonitoredWorld): Promise<readonly SelectableLibrary[]>;
  choose(examination: Examination, libraries: readonly SelectableLibrary[]): MadeChoice;
}

/** What a backend says of its memory; every halfbyte Backend does. */
interface CountedBackend {
  readonly name: string;
  memory(): { readonly tensors: number; readonly bytes: number; readonly packedBytes: number };
}

export interface MonitorOptions {
  /** Between the starts of two readings; 5000 unless told otherwise. A reading that takes longer is followed by the next at once. */
  readonly intervalMs?: number;
  /** How long a full examination, with the driver and programs started, is good while nothing changes: 60 s. */
  readonly fullEveryMs?: number;
  /** Ends the monitor when it fires. */
  readonly signal?: AbortSignal;
  /** Whether the monitor alone keeps the process alive; it does not. */
  readonly keepAlive?: boolean;
  /** Their memory is part of every sample. */
  readonly backends?: readonly CountedBackend[];
  /** Without it, changes are logged. */
  readonly onChange?: (change: CompatibilityChange) => void;
  readonly onSample?: (sample: MonitorSample) => void;
  /** A reading failed, or a callback threw; the next one comes. Without it, that is logged. */
  readonly onError?: (error: unknown) => void;
}

export interface MonitorSample {
  /** ISO 8601. */
  readonly time: string;
  /** How long the reading took. */
  readonly ms: number;
  readonly compatibility: Compatibility;
  readonly telemetry: Telemetry;
  readonly process: ProcessUsage;
  readonly backends: readonly ({ readonly name: string } & ReturnType<CountedBackend["memory"]>)[];
  /** Since the sample before. */
  readonly changes: readonly CompatibilityChange[];
}

export interface CompatibilityMonitor extends AsyncDisposable {
  /** Reads now, and then every interval. Once. */
  start(): void;
  /** One reading; when one is under way, that one. Rejects only when it fails. */
  sample(): Promise<MonitorSample>;
  /** The last one. */
  readonly latest: MonitorSample | undefined;
  /** Ends after the reading under way. */
  stop(): Promise<void>;
}

export class PollingMonitor implements CompatibilityMonitor {
  readonly #options: MonitorOptions;
  readonly #intervalMs: number;
  readonly #telemetry: GpuTelemetry;
  readonly #libraries: LibraryWatch;
  readonly #loaded: LoadedFiles;
  readonly #meter = new ProcessMeter();
  readonly #examination: SteadyExamination;
  readonly #ending = new AbortController();
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<MonitorSample> | undefined;
  #latest: MonitorSample | undefined;

  constructor(
    readonly inspection: Inspection,
    options: MonitorOptions = {},
  ) {
    const { world } = inspection;
    // Every source of an examination listens, and there are more than Node expects.
    setMaxListeners(0, this.#ending.signal);
    this.#options = options;
    this.#intervalMs = checkedInterval(options.intervalMs ?? 5000);
    this.#telemetry = new GpuTelemetry(world);
    this.#libraries = new LibraryWatch(world);
    this.#loaded = new LoadedFiles(world);
    this.#examination = new SteadyExamination(inspection, options.fullEveryMs ?? 60_000);
  }

  get latest(): MonitorSample | undefined {
    return this.#latest;
  }

  start(): void {
    if (this.#started || this.#ending.signal.aborted) return;
    this.#started = true;
    const { signal } = this.#options;
    const stop = () => void this.stop();
    signal?.addEventListener("abort", stop, { once: true, signal: this.#ending.signal });
    if (signal?.aborted) stop();
    else void this.#poll();
  }

  sample(): Promise<MonitorSample> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#reading?.catch(() => undefined);
    await this.#telemetry.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Reads, then sets the clock for the next reading. */
  async #poll(): Promise<void> {
    const begun = performance.now();
    try {
      await this.sample();
    } catch (thrown) {
      if (!this.#ending.signal.aborted) this.#tell(thrown);
    }
    if (this.#ending.signal.aborted) return;
    const wait = Math.max(0, this.#intervalMs - (performance.now() - begun));
    this.#timer = setTimeout(() => void this.#poll(), wait);
    if (!this.#options.keepAlive) this.#timer.unref();
  }

  async #read(): Promise<MonitorSample> {
    throwIfAborted(this.#ending.signal, "The compatibility monitor");
    const begun = performance.now();
    const { world } = this.inspection;
    const { signal } = this.#ending;
    const [telemetry, libraries, replacedFiles] = await Promise.all([
      this.#telemetry.read(signal),
      this.inspection.findLibraries(world),
      this.#loaded.replaced(),
    ]);
    const gpus = telemetry.gpus?.map(({ id, name, lost }) => ({ id, name, ...(lost && { lost }) }));
    const examination = await this.#examination.read(gpus, signal);
    const states = await this.#libraries.states(libraries);
    const choice = this.inspection.choose(examination, libraries);
    const seen = { ...(gpus && { gpus }), libraries: states, replacedFiles };
    const compatibility = compatibilityOf(examination.facts, seen, choice);
    return this.#publish(compatibility, telemetry, performance.now() - begun);
  }

  #publish(compatibility: Compatibility, telemetry: Telemetry, ms: number): MonitorSample {
    const before = this.#latest;
    const changes = before ? compatibilityChanges(before.compatibility, compatibility) : [];
    const backends = (this.#options.backends ?? []).map((backend) => ({ name: backend.name, ...backend.memory() }));
    const measured = { process: this.#meter.read(), backends, changes };
    const sample = { time: new Date().toISOString(), ms, compatibility, telemetry, ...measured };
    this.#latest = sample;
    if (this.#ending.signal.aborted) return sample;
    const { onSample, onChange = logChange } = this.#options;
    for (const change of changes) this.#call(() => onChange(change));
    this.#call(() => onSample?.(sample));
    return sample;
  }

  /** What a callback throws is its own matter, and no reason to stop looking. */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (thrown) {
      this.#tell(thrown);
    }
  }

  #tell(thrown: unknown): void {
    const { onError } = this.#options;
    if (onError) onError(thrown);
    else log("error", `the compatibility monitor failed: ${messageOf(thrown)}`);
  }
}

function logChange({ code, level, message, remedy }: CompatibilityChange): void {
  log(level, `${message} ${remedy} (${code})`);
}

/** cpu-only: there is no CUDA, and nothing that would need it. */
export type Standing = "ok" | "degraded" | "cpu-only" | "unusable";

/** Whether a process started now would get a CUDA library, and one that fits well. */
export function standingOf({ selection, driver, hardware }: Compatibility): Standing {
  if (isChosen(selection)) return selection.degraded ? "degraded" : "ok";
  return "code" in driver && hardware !== true ? "cpu-only" : "unusable";
}
