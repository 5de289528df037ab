/**
 * Native libraries as they are found on disk. What of a file shows without loading it is looked at here: who can write to it, and
 * whether it is what its manifest says.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, type Reason } from "@halfbyte/core";
import { filesIn, libraryPlaces, placeRefusal, placesInUse } from "./library-places.js";
import type { Environment } from "./library-store.js";
import { abiRefusal, type ManifestEntry, manifestEntry, manifestRefusal } from "./manifest.js";
import { reasonOf } from "./reason.js";

export type LibraryCandidate = FoundLibrary | RefusedLibrary;

export interface FoundLibrary {
  readonly path: string;
  /** Of its bytes. */
  readonly sha256: string;
  readonly refusal?: never;
}

export interface RefusedLibrary {
  readonly path: string;
  readonly sha256?: never;
  /** Why it must not be loaded. */
  readonly refusal: Reason;
}

/** A library that is known by its manifest alone: its bytes are compared with it when it is to be loaded, by verifiedLibrary(). */
export interface ListedLibrary {
  readonly path: string;
  /** Absent: nothing usable is written about the file. */
  readonly entry?: ManifestEntry;
  readonly refusal?: Reason;
}

/** The file name of a library on this system: libhalfbyte_cpu.so, .dylib or .dll. */
export function libraryFile(stem: string, platform: NodeJS.Platform = process.platform): string {
  const extension = platform === "win32" ? "dll" : platform === "darwin" ? "dylib" : "so";
  return `lib${stem}.${extension}`;
}

/** Where `file` may lie, in the order in which it is tried. */
export function libraryCandidates(file: string, ownFolders: readonly string[]): LibraryCandidate[] {
  return libraryPlaces(ownFolders).map((place) => {
    const path = join(place.folder, file);
    const refusal = placeRefusal(place, path);
    return refusal ? { path, refusal } : verifiedLibrary(path, place.needsManifest);
  });
}

/** Every file of every place whose name matches, in the order of the places: what is in use first. Reads manifests and no library. */
export const listLibraries = (
  matches: (file: string) => boolean,
  ownFolders: readonly string[],
  env?: Environment,
): ListedLibrary[] =>
  [...placesInUse(env), ...libraryPlaces(ownFolders, env)].flatMap((place) =>
    filesIn(place, matches).map((path) => listed(path, placeRefusal(place, path))),
  );

function listed(path: string, misplaced: Reason | undefined): ListedLibrary {
  const { entry, refusal: unknown } = manifestEntry(path);
  const refusal = misplaced ?? unknown ?? (entry && abiRefusal(path, entry));
  return { path, ...(entry && { entry }), ...(refusal && { refusal }) };
}

/** The library, once its bytes are what the manifest says. */
export function verifiedLibrary(path: string, needsManifest = true): LibraryCandidate {
  try {
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const refusal = manifestRefusal(path, sha256, needsManifest);
    return refusal ? { path, refusal } : { path, sha256 };
  } catch (thrown) {
    return { path, refusal: reasonOf("LIBRARY_LOAD_FAILED", `${path} cannot be read: ${messageOf(thrown)}.`) };
  }
}
