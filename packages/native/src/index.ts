/** What backends over a native library share; bundled into them. */
export type { BuildInfo } from "./build-info.js";
export { type FoundLibrary, type LibraryCandidate, libraryCandidates, libraryFile } from "./library-candidates.js";
export { type LoadedLibrary, type LoadOptions, libraryError, loadLibrary, type Refusal } from "./load-library.js";
export { type MemoryUse, NativeDevice, type NativeDeviceOptions } from "./native-device.js";
export { reasonOf } from "./reason.js";
export { runScript, type ScriptEnding, type ScriptOptions, scriptObstacle } from "./script-process.js";
