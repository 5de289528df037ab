/**
 * The provider of backend "cpu" in Node. Its tiers are the native library, WebAssembly and, only when asked for by name, core's reference
 * kernels, which the registry has as a backend of their own.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type BackendProvider, halfbyteError, messageOf, reference } from "@halfbyte/core";
import { instructionSetCap, machine, settingSources } from "./machine.js";
import { nativeTier } from "./native-tier.js";
import type { CpuOptions } from "./options.js";
import { tieredProvider } from "./tiers.js";
import type { WasmIsa } from "./wasm/engine.js";
import { wasmRemedy } from "./wasm/module.js";
import { wasmTier } from "./wasm/tier.js";
import { wasmIsas } from "./wasm/variants.js";
import { wasmFiles } from "./wasm-files.js";

/** SIMD kernels: native on all cores, or WebAssembly on the calling thread where there is no library for the machine. */
export const cpu = (given: CpuOptions = {}): BackendProvider<CpuOptions> => tieredProvider(given, tiersOf);

function tiersOf(options: CpuOptions): readonly BackendProvider[] {
  const { tier } = options;
  if (tier === "reference") return [reference()];
  const cap = instructionSetCap();
  const isWasm = tier === "wasm" || cap?.startsWith("wasm");
  const wasm = wasmIsas(cap, options.wasm).map((isa) => wasmTier({ ...options, isa, known: knownOf(isa, options) }));
  if (isWasm) return wasm;
  return tier === "native" ? [nativeTier(options)] : [nativeTier(options), ...wasm];
}

/** Whose compiler of WebAssembly a self-test has tried too. */
const engine = `node ${process.version} ${process.versions["bun"] ?? process.versions.v8}`;

function knownOf(isa: WasmIsa, { wasm }: CpuOptions) {
  const facts = { versions: {}, devices: [machine()], sources: settingSources() };
  if (wasm !== undefined) return facts;
  try {
    const build = createHash("sha256").update(readFileSync(wasmFiles[isa]())).digest("hex");
    return { ...facts, versions: { build, engine } };
  } catch (thrown) {
    const { code, message, remedy } = halfbyteError("LIBRARY_NOT_FOUND", messageOf(thrown), { remedy: wasmRemedy });
    return { ...facts, reason: { code, message, remedy } };
  }
}
