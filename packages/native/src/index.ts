/** What backends over a native library share; bundled into them. */
export { type BuildInfo, parseBuildInfo } from "./build-info.js";
export {
  type FoundLibrary,
  type LibraryCandidate,
  type ListedLibrary,
  libraryCandidates,
  libraryFile,
  listLibraries,
  verifiedLibrary,
} from "./library-candidates.js";
export { type Environment, userStore } from "./library-store.js";
export {
  type LoadedLibrary,
  type LoadOptions,
  libraryError,
  loadLibrary,
  type Refusal,
  tryOut,
} from "./load-library.js";
export { type ManifestEntry, manifestEntry } from "./manifest.js";
export { type MemoryUse, NativeDevice, type NativeDeviceOptions } from "./native-device.js";
export { nativeOf } from "./native-storage.js";
export { reasonOf } from "./reason.js";
export {
  runScript,
  type ScriptEnding,
  type ScriptOptions,
  scriptEnvironment,
  scriptObstacle,
} from "./script-process.js";
