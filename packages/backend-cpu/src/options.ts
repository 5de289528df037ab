/** What a user of the CPU backend may choose, wherever it runs. */
import { halfbyteError } from "@halfbyte/core";
import type { MemoryUse } from "@halfbyte/native/wasm";
import type { WasmSource } from "./wasm/module.js";

const tiers = ["native", "wasm", "reference"] as const;
const memoryUses = ["fast", "lean"] as const;
export type CpuTier = (typeof tiers)[number];

export interface CpuOptions {
  /** That tier and no other. Default: native, then wasm; browsers have no native tier. */
  readonly tier?: CpuTier;
  /** Of the native tier. Default: HALFBYTE_THREADS, else as many as the machine has. All backends of a process share one pool. */
  readonly threads?: number;
  /** fast (default): weights of products are kept a second time, as the kernels read them best; lean: they are not. */
  readonly memory?: MemoryUse;
  /** The WebAssembly module of the wasm tier, compiled or as bytes, or where to get it. Default: the files of this package. */
  readonly wasm?: WasmSource;
}

export type OpenOptions = CpuOptions & { readonly signal?: AbortSignal };

export function expectOptions({ tier, threads = 0, memory }: CpuOptions): void {
  expectOneOf("tier", tier, tiers);
  expectOneOf("memory", memory, memoryUses);
  if (!Number.isSafeInteger(threads) || threads < 0 || threads > 1024)
    throw halfbyteError("INVALID_ARGUMENT", `threads is ${String(threads)}, expected an integer from 0 to 1024.`);
}

function expectOneOf<T extends string>(name: string, value: T | undefined, allowed: readonly T[]): void {
  if (value === undefined || allowed.includes(value)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${name} is ${String(value)}; allowed: ${allowed.join(", ")}.`);
}
