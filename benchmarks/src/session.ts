/** All cases of one backend and one number of threads: they share a process, because a process has one pool of threads. */

import { cpu } from "@halfbyte/backend-cpu";
import { type Backend, halfbyteError, openBackend, reference } from "@halfbyte/core";
import type { Bench, Settings } from "./case.js";
import { tell } from "./failure.js";
import { floorLibrary } from "./floors/library.js";
import { measureCase } from "./measure-case.js";
import type { Failure, Row } from "./report/row.js";
import type { Spec } from "./spec.js";

/** Instruction sets and tiers that HALFBYTE_CPU_ISA knows. */
export const isas = ["avx512", "avx2", "neon", "scalar", "wasm-relaxed", "wasm"] as const;
export const backendNames = ["cpu", "reference", ...isas] as const;

export interface Work {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
}

/** What a session reports while it works. */
export type Message =
  | { readonly kind: "begin"; readonly spec: Spec }
  | { readonly kind: "rows"; readonly spec: Spec; readonly rows: readonly Row[] }
  | { readonly kind: "failure"; readonly spec: Spec; readonly reason: Failure["reason"] };

/** The specs are all of one backend and one number of threads. A case that fails is told; the others go on. */
export async function runSession({ specs, settings }: Work, report: (message: Message) => void): Promise<void> {
  const bench = await openBench(specs[0]!, settings).catch(tell);
  for (const spec of specs) {
    report({ kind: "begin", spec });
    try {
      if (typeof bench === "string") throw new Error(bench);
      report({ kind: "rows", spec, rows: await measureCase(spec, bench) });
    } catch (thrown) {
      report({ kind: "failure", spec, reason: tell(thrown) });
    }
  }
  if (typeof bench !== "string") await bench.backend.dispose();
}

async function openBench({ backend: name, threads }: Spec, settings: Settings): Promise<Bench> {
  return { ...settings, backend: await openNamed(name, threads), threads, floors: floorLibrary() };
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
