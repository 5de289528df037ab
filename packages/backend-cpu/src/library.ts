/** Where the CPU library lies, and what identifies its build. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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

/** SHA-256 of every library that may be opened; undefined when there is none or one cannot be read. */
export function buildHash(candidates: readonly LibraryCandidate[]): string | undefined {
  const present = candidates.filter(({ refusal }) => refusal === undefined);
  if (present.length === 0) return undefined;
  try {
    return present.map(({ path }) => sha256(path)).join("+");
  } catch {
    // Without a hash a passed self-test is not remembered; opening the file will tell what is wrong.
    return undefined;
  }
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
