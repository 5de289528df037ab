/** The CPU backend of halfbyte where there is no Node: WebAssembly in pages, workers and Deno. Importing it does nothing. */
import { type BackendProvider, halfbyteError, type Reason, reference } from "@halfbyte/core";
import type { CpuOptions } from "./options.js";
import { tieredProvider } from "./tiers.js";
import { wasmTier } from "./wasm/tier.js";
import { wasmIsas } from "./wasm/variants.js";

export type { CpuOptions, CpuTier } from "./options.js";
export type { WasmSource } from "./wasm/module.js";

/** SIMD kernels in WebAssembly, on the calling thread. */
export const cpu = (given: CpuOptions = {}): BackendProvider<CpuOptions> => tieredProvider(given, tiersOf);

function tiersOf(options: CpuOptions): readonly BackendProvider[] {
  if (options.tier === "reference") return [reference()];
  if (options.tier === "native") return [withoutNative];
  return wasmIsas(undefined, options.wasm).map((isa) => wasmTier({ ...options, isa }));
}

const reason: Reason = {
  code: "NOT_AVAILABLE",
  message: "There are no native libraries here: this is the build of @halfbyte/backend-cpu for browsers.",
  remedy: "Use tier wasm, or none.",
};

const withoutNative: BackendProvider = {
  name: "cpu",
  detect: async () => ({
    provider: "cpu",
    available: false,
    reason,
    versions: {},
    sources: [],
    candidates: [],
    devices: [],
  }),
  open: async () => {
    throw halfbyteError("NOT_AVAILABLE", reason.message, { remedy: reason.remedy });
  },
};
