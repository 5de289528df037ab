/** Names of the versioned libraries: `libhalfbyte_cuda124.so` is built with CUDA 12.4, `libhalfbyte_rocm713.so` with ROCm 7.13. */
import { libraryFile } from "@halfbyte/native";
import { digitsOf, type Runtime, type RuntimeVersion, versionOfDigits } from "./runtime-version.js";

export interface LibraryName {
  readonly runtime: Runtime;
  readonly version: RuntimeVersion;
}

/** What people, options and variables call a library: cuda124. */
export const libraryId = ({ runtime, version }: LibraryName): string => `${runtime}${digitsOf(version)}`;

/** The library's file name on this system. */
export const libraryFileOf = (name: LibraryName, platform?: NodeJS.Platform): string =>
  libraryFile(`halfbyte_${libraryId(name)}`, platform);

/** Undefined for files that are no versioned library. */
export function parseLibraryFile(file: string): LibraryName | undefined {
  const match = /^libhalfbyte_(cuda|rocm)(\d+)\.(?:so|dylib|dll)$/.exec(file);
  return match ? libraryNameOf(match[1] as Runtime, match[2]!) : undefined;
}

/** Of an id such as cuda124. */
export function parseLibraryId(id: string): LibraryName | undefined {
  const match = /^(cuda|rocm)(\d+)$/.exec(id);
  return match ? libraryNameOf(match[1] as Runtime, match[2]!) : undefined;
}

function libraryNameOf(runtime: Runtime, digits: string): LibraryName | undefined {
  const version = versionOfDigits(runtime, digits);
  return version && { runtime, version };
}
