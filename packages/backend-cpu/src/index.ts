/** The CPU backend of halfbyte. Importing it does nothing: register it, or pass cpu() to openBackend(). */
export type { CpuOptions, CpuTier } from "./options.js";
export { cpu } from "./provider.js";
export type { WasmSource } from "./wasm/module.js";
