/** Where the CPU library lies, and what identifies its build. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LibraryCandidate, libraryCandidates, libraryFile } from "@halfbyte/native";

/** The folder of this package: this file lies one level below it, as source and as build. */
const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

export const buildRemedy =
  "In a clone of the repository run `pnpm build:native`; it needs CMake and a C++ compiler (Debian: apt-get install cmake g++).";

/** The package that brings the library for this machine; undefined where npm did not install one. */
function platformFolder(): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  try {
    return dirname(resolve(`@halfbyte/backend-cpu-${process.platform}-${process.arch}/package.json`));
  } catch {
    // Most machines have none: what that means is said of the folders that are looked at.
    return undefined;
  }
}

/** In the order in which they are tried: what was built here, then what was installed. */
export function cpuLibraries(): LibraryCandidate[] {
  const installed = platformFolder();
  const folders = [join(packageFolder, "build"), ...(installed === undefined ? [] : [installed])];
  return libraryCandidates(libraryFile("halfbyte_cpu"), folders);
}

/** SHA-256 of every library that may be opened; undefined when there is none. */
export function buildHash(candidates: readonly LibraryCandidate[]): string | undefined {
  const hashes = candidates.flatMap(({ sha256 }) => sha256 ?? []);
  return hashes.length === 0 ? undefined : hashes.join("+");
}
