/** Where the CPU library lies, and what identifies its build. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LibraryCandidate, libraryCandidates, libraryFile } from "@halfbyte/native";

/** The folder of this package: this file lies one level below it, as source and as build. */
const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

export const buildRemedy =
  "In a clone of the repository run `pnpm build:native`; it needs CMake and a C++ compiler (Debian: apt-get install cmake g++).";

/** In the order in which they are tried. */
export const cpuLibraries = (): LibraryCandidate[] =>
  libraryCandidates(libraryFile("halfbyte_cpu"), [join(packageFolder, "build")]);

/** SHA-256 of every library that may be opened; undefined when there is none. */
export function buildHash(candidates: readonly LibraryCandidate[]): string | undefined {
  const hashes = candidates.flatMap(({ sha256 }) => sha256 ?? []);
  return hashes.length === 0 ? undefined : hashes.join("+");
}
