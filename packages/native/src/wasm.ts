/** What backends over a WebAssembly module share. Nothing here needs Node: it runs in browsers. */
export type { BuildInfo } from "./build-info.js";
export { identify } from "./identity.js";
export { type MemoryUse, NativeDevice } from "./native-device.js";
export { reasonOf } from "./reason.js";
export { wasmFunctions } from "./wasm-functions.js";
export { WasmLibrary } from "./wasm-library.js";
