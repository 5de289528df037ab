/** What the CPU backend reads about the machine and its settings. */
import { cpus, totalmem } from "node:os";
import type { Detection, Source } from "@halfbyte/core";

export const memoryBytes = totalmem;

export function machine(): Detection["devices"][number] {
  const model = cpus()[0]?.model.trim();
  return { id: "cpu", name: model || process.arch, memoryBytes: memoryBytes(), software: false };
}

/** HALFBYTE_CPU_ISA. */
export const instructionSetCap = (): string | undefined => process.env["HALFBYTE_CPU_ISA"] || undefined;

const settings = {
  HALFBYTE_CPU_ISA: "the highest instruction set the library may use",
  HALFBYTE_THREADS: "the number of threads",
  HALFBYTE_PIN_THREADS: "1 keeps every worker thread on a core of its own (Linux)",
  HALFBYTE_LIBRARY_PATH: "more folders to look for the library in",
} as const;

const isas = ["avx512", "avx2", "neon", "scalar", "wasm-relaxed", "wasm"];

export const settingSources = (): Source[] =>
  Object.entries(settings).map(([name, usedFor]) => {
    const value = process.env[name] || null;
    const source = { name, value, usedFor, ms: 0 };
    if (name !== "HALFBYTE_CPU_ISA" || value === null || isas.includes(value)) return source;
    return { ...source, ignoredBecause: `it is none of ${isas.join(", ")}` };
  });
