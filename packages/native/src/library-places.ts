/**
 * Where native libraries may lie, as absolute folders: the package's own, the user's store, then the entries of
 * HALFBYTE_LIBRARY_PATH; never the current folder, never a bare name.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import type { Reason } from "@halfbyte/core";
import { type Environment, foldersInUse, userStore } from "./library-store.js";
import { reasonOf } from "./reason.js";

export interface Place {
  readonly folder: string;
  /** Whether others could have put something there. */
  readonly shared: boolean;
  /** Without one, who named the folder vouches for the library. */
  readonly needsManifest: boolean;
}

/** In the order in which they are looked at. */
export function libraryPlaces(ownFolders: readonly string[], env: Environment = process.env): Place[] {
  const named = (env["HALFBYTE_LIBRARY_PATH"] ?? "").split(delimiter).filter((entry) => entry !== "");
  return [
    ...ownFolders.map((folder) => ({ folder: outsideArchive(folder), shared: false, needsManifest: true })),
    { folder: userStore(env), shared: true, needsManifest: true },
    ...named.map((folder) => ({ folder, shared: true, needsManifest: false })),
  ];
}

/** Electron puts packages into an archive, which the system's loader cannot open, and what must stay a file beside it. */
const outsideArchive = (folder: string): string => folder.replace(/\.asar(?=[\\/])/, ".asar.unpacked");

/** What the user put in use goes before everything else, and is held to what holds for other folders of the user. */
export const placesInUse = (env: Environment = process.env): Place[] =>
  foldersInUse(userStore(env)).map((folder) => ({ folder, shared: true, needsManifest: true }));

/** Paths of the files in a place whose names match; none where there is no such folder. */
export function filesIn({ folder }: Place, matches: (file: string) => boolean): string[] {
  if (!isAbsolute(folder)) return [];
  try {
    const files = readdirSync(folder).filter(matches).sort();
    return files.map((file) => join(folder, file));
  } catch {
    // Most places do not exist, and one that cannot be read holds nothing that could be loaded.
    return [];
  }
}

/** Why a file of this place must not be loaded, as far as that shows from the outside. */
export function placeRefusal({ folder, shared }: Place, path: string): Reason | undefined {
  if (!isAbsolute(folder))
    return reasonOf("LIBRARY_PATH_REFUSED", `"${folder}" in HALFBYTE_LIBRARY_PATH is not absolute.`);
  if (!existsSync(path)) return reasonOf("LIBRARY_NOT_FOUND", `${path} does not exist.`);
  if (!statSync(path).isFile()) return reasonOf("LIBRARY_NOT_FOUND", `${path} is not a file.`);
  const writable = shared && [dirname(path), path].find(isWritableByOthers);
  return writable ? reasonOf("LIBRARY_PATH_REFUSED", `${writable} can be written to by every user.`) : undefined;
}

/** Who can write to a library could run code in this process. Windows has no such bits. */
const isWritableByOthers = (path: string): boolean =>
  process.platform !== "win32" && (statSync(path).mode & 0o002) !== 0;
