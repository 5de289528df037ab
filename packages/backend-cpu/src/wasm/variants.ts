/** Which builds of the WebAssembly kernels are tried, best first. */
import { type WasmIsa, whyNot } from "./engine.js";
import type { WasmSource } from "./module.js";

/** `cap` is HALFBYTE_CPU_ISA; a module that the caller brings is tried as it is. */
export function wasmIsas(cap: string | undefined, given?: WasmSource): readonly WasmIsa[] {
  if (cap === "wasm" || cap === "wasm-relaxed") return [cap];
  return given === undefined && whyNot("wasm-relaxed") === undefined ? ["wasm-relaxed", "wasm"] : ["wasm"];
}
