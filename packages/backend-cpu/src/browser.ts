/** The CPU backend of halfbyte where there is no Node: WebAssembly in pages, workers and Deno. Importing it does nothing. */
import { type BackendProvider, reference } from "@halfbyte/core";
import type { CpuOptions } from "./options.js";
import { tieredProvider } from "./tiers.js";
import { wasmTier } from "./wasm/tier.js";
import { wasmIsas } from "./wasm/variants.js";

export type { CpuOptions, CpuTier } from "./options.js";
export type { WasmSource } from "./wasm/module.js";

/** SIMD kernels in WebAssembly, on the calling thread. */
export const cpu = (given: CpuOptions = {}): BackendProvider<CpuOptions> => tieredProvider(given, tiersOf);

const tiersOf = (options: CpuOptions): readonly BackendProvider[] =>
  options.tier === "reference"
    ? [reference()]
    : wasmIsas(undefined, options.wasm).map((isa) => wasmTier({ ...options, isa }));
