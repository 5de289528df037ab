/**
 * Where the WebAssembly modules lie: below this package's folder, which this file is one level deep in, as source and as build. Bundlers know
 * this form of URL and take the files along.
 */
import type { WasmIsa } from "./wasm/engine.js";

export const wasmFiles: Readonly<Record<WasmIsa, () => URL>> = {
  wasm: () => new URL("../build/wasm/halfbyte_cpu.wasm", import.meta.url),
  "wasm-relaxed": () => new URL("../build/wasm/halfbyte_cpu.relaxed.wasm", import.meta.url),
};
