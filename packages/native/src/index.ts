/** What backends over a native library share; bundled into them. */
export type { BuildInfo } from "./build-info.js";
export {
  type LibraryCandidate,
  type LoadedLibrary,
  libraryCandidates,
  libraryError,
  libraryFile,
  loadLibrary,
  type Refusal,
} from "./load-library.js";
export { type MemoryUse, NativeDevice, type NativeDeviceOptions } from "./native-device.js";
