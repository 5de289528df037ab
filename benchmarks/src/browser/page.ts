/** What runs in the page: cases on the adapter that the browser gives, each told as soon as it is measured. */
import type { Settings } from "../case.js";
import { type CaseMessage, runCases } from "../cases.js";
import { tell } from "../failure.js";
import type { MachineFloor } from "../floors/machine-floors.js";
import type { Adapter } from "../report/row.js";
import type { Spec } from "../spec.js";
import { portableSuites } from "../suites/portable.js";
import { openAdapter } from "../webgpu/adapter.js";
import { openWebgpuBench } from "../webgpu/bench.js";
import { pageModules, type Versions } from "./page-modules.js";

export interface PageWork {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
  readonly versions: Versions;
  /** The browser, with its version. */
  readonly host: string;
}

export type PageMessage =
  | CaseMessage
  | { readonly kind: "adapter"; readonly adapter: Adapter; readonly floors: readonly MachineFloor[] };

type Report = (message: PageMessage) => Promise<void>;

async function run({ specs, settings, versions, host }: PageWork, report: Report): Promise<void> {
  const bench = await open(settings, versions, host, report).catch(tell);
  await runCases({ specs, suites: portableSuites, bench }, report);
}

async function open(settings: Settings, versions: Versions, host: string, report: Report) {
  if (!navigator.gpu) throw new Error("the browser has no WebGPU");
  const opened = await openAdapter(navigator.gpu, host);
  const { bench, adapter, machineFloors } = await openWebgpuBench(opened, settings, pageModules(versions));
  await report({ kind: "adapter", adapter, floors: machineFloors });
  return bench;
}

Object.assign(globalThis, { benchPage: { run } });
