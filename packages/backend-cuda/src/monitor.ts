/** The monitor of this machine. */
import { choose } from "./choose.js";
import { type CompatibilityMonitor, type MonitorOptions, PollingMonitor } from "./compatibility-monitor.js";
import { examine } from "./examine.js";
import { findLibraries } from "./find-libraries.js";
import { isolateLibrary } from "./isolated-library.js";
import type { MonitoredWorld } from "./monitored-world.js";
import { nodeWorld } from "./node-world.js";
import type { Preference } from "./select-library.js";

export interface CompatibilityMonitorOptions extends MonitorOptions {
  /** As the application passes it to cuda(). */
  readonly prefer?: Preference;
  /** The machine; the one this process runs on unless told otherwise. */
  readonly world?: MonitoredWorld;
}

/** It does nothing until start() or sample(). Throws INVALID_ARGUMENT for an interval below 0.1 seconds or above a day. */
export function createCompatibilityMonitor(options: CompatibilityMonitorOptions = {}): CompatibilityMonitor {
  const { prefer, world = { ...nodeWorld(), isolateLibrary } } = options;
  const inspection = {
    world,
    examine,
    findLibraries,
    choose: (...[examination, libraries]: ChoiceArguments) =>
      choose(examination, libraries, world.env, prefer === undefined ? {} : { prefer }),
  };
  return new PollingMonitor(inspection, options);
}

type ChoiceArguments = [examination: Parameters<typeof choose>[0], libraries: Parameters<typeof choose>[1]];
