/** All cases of one backend and one number of threads: they share a process, because a process has one pool of threads. */

import { cpu } from "@halfbyte/backend-cpu";
import { type Backend, halfbyteError, openBackend, reference } from "@halfbyte/core";
import type { Bench, Settings } from "./case.js";
import { type CaseMessage, runCases } from "./cases.js";
import { tell } from "./failure.js";
import { cpuFloors } from "./floors/floor.js";
import { floorLibrary } from "./floors/library.js";
import type { MachineFloor } from "./floors/machine-floors.js";
import { wallClock } from "./measure/clock.js";
import { cpuPeers } from "./peers/cpu-peers.js";
import type { Adapter } from "./report/row.js";
import type { Spec } from "./spec.js";
import { suites } from "./suites/index.js";
import { portableSuites } from "./suites/portable.js";

/** Instruction sets and tiers that HALFBYTE_CPU_ISA knows. */
export const isas = ["avx512", "avx2", "neon", "scalar", "wasm-relaxed", "wasm"] as const;
export const backendNames = ["cpu", "reference", "webgpu", ...isas] as const;

export interface Work {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
}

/** What a session reports while it works; `adapter` comes first where there is one. */
export type Message =
  | CaseMessage
  | { readonly kind: "adapter"; readonly adapter: Adapter; readonly floors: readonly MachineFloor[] };

/** The specs are all of one backend and one number of threads. */
export async function runSession({ specs, settings }: Work, report: (message: Message) => void): Promise<void> {
  const isWebgpu = specs[0]!.backend === "webgpu";
  const bench = await (isWebgpu ? openOnDawn(settings, report) : openBench(specs[0]!, settings)).catch(tell);
  await runCases({ specs, suites: isWebgpu ? portableSuites : suites, bench }, report);
  if (typeof bench !== "string") await bench.backend.dispose();
}

async function openBench({ backend: name, threads }: Spec, settings: Settings): Promise<Bench> {
  const library = floorLibrary();
  const floors = typeof library === "string" ? library : cpuFloors(library, threads);
  const backend = await openNamed(name, threads);
  return { ...settings, backend, threads, floors, clocks: [wallClock], peerSet: cpuPeers };
}

/** Only who asks for WebGPU loads it. */
async function openOnDawn(settings: Settings, report: (message: Message) => void): Promise<Bench> {
  const { openDawnBench } = await import("./webgpu/dawn.js");
  const { bench, adapter, machineFloors } = await openDawnBench(settings);
  report({ kind: "adapter", adapter, floors: machineFloors });
  return bench;
}

/** Exactly this backend, on exactly this tier. Throws BACKEND_UNAVAILABLE. */
async function openNamed(name: string, threads: number): Promise<Backend> {
  if (name === "reference") return openBackend([reference()], { order: ["reference"] });
  const isIsa = (isas as readonly string[]).includes(name);
  if (isIsa) process.env["HALFBYTE_CPU_ISA"] = name;
  const backend = await openBackend([cpu({ threads })], { order: ["cpu"] });
  const found = backend.report.chosen === "cpu" ? backend.tier : undefined;
  if (found !== undefined && (!isIsa || found === name)) return backend;
  const reason = found ? `it opened as ${found}` : backend.report.skipped.map(({ message }) => message).join(" ");
  await backend.dispose();
  throw halfbyteError("BACKEND_UNAVAILABLE", `Backend "${name}" cannot be measured: ${reason}`);
}
