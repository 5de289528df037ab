/** The CUDA backend of halfbyte. Importing it does nothing: register it, or pass cuda() to openBackend(). */
export { type Capability, parseCapability } from "./capability.js";
export { type Choice, type ChooseOptions, choose } from "./choose.js";
export { type ChosenLibrary, type Compatibility, isChosen } from "./compatibility.js";
export { type ChangeCode, type CompatibilityChange, changeCatalogue } from "./compatibility-change.js";
export { compatibilityChanges } from "./compatibility-changes.js";
export {
  type CompatibilityMonitor,
  type MonitorOptions,
  type MonitorSample,
  type Standing,
  standingOf,
} from "./compatibility-monitor.js";
export { cuda } from "./cuda.js";
export type { CudaOptions } from "./cuda-options.js";
export { type DeviceMemory, deviceAddressOf, releaseTo, wrapDeviceMemory } from "./device-memory.js";
export { type DiagnoseOptions, diagnose } from "./diagnose.js";
export { type Diagnosis, type Status, statuses } from "./diagnosis.js";
export { examine } from "./examine.js";
export { type FindOptions, findLibraries } from "./find-libraries.js";
export type { GpuReading } from "./gpu-reading.js";
export type { Telemetry } from "./gpu-telemetry.js";
export { type LibraryName, libraryFileOf, libraryId, parseLibraryFile, parseLibraryId } from "./library-name.js";
export { LibraryStore, type StoredBuild, type Switched, userStoreFolder } from "./library-store.js";
export {
  type SurveyedLibrary,
  surveyLibraries,
  type VerifiedLibrary,
  verified,
  verifyLibraries,
} from "./library-survey.js";
export type {
  Examination,
  ExamineOptions,
  Framework,
  Gpu,
  MachineFacts,
  RuntimeFile,
  Toolkit,
} from "./machine-facts.js";
export { type CompatibilityMonitorOptions, createCompatibilityMonitor } from "./monitor.js";
export type { IsolatedLibrary, MonitoredWorld } from "./monitored-world.js";
export { type NodeWorldOptions, nodeWorld } from "./node-world.js";
export type { Override } from "./override.js";
export { type ProbeLibraryOptions, probeLibrary } from "./probe-library.js";
export { compareVersions, formatVersion, parseVersion, type Runtime, type RuntimeVersion } from "./runtime-version.js";
export {
  type HostRuntime,
  type Preference,
  type SelectableLibrary,
  type Selection,
  type SelectionFacts,
  type SelectionOptions,
  selectLibrary,
  type Verdict,
} from "./select-library.js";
export { type BuildOptions, buildIntoStore, requestedVersion } from "./source-build.js";
export type { RunOptions, RunResult, SystemLibrary, World } from "./world.js";
