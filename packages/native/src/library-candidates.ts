/**
 * Where a native library may lie, as absolute paths: the package's own folders, the user's store, then the entries of
 * HALFBYTE_LIBRARY_PATH; never the current folder, never a bare name. What of a file shows without loading it is looked at here:
 * who can write to it, and whether it is what its manifest says.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { messageOf, type Reason } from "@halfbyte/core";
import { manifestRefusal } from "./manifest.js";
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

/** The file name of a library on this system: libhalfbyte_cpu.so, .dylib or .dll. */
export function libraryFile(stem: string, platform: NodeJS.Platform = process.platform): string {
  const extension = platform === "win32" ? "dll" : platform === "darwin" ? "dylib" : "so";
  return `lib${stem}.${extension}`;
}

interface Place {
  readonly folder: string;
  /** Whether others could have put something there. */
  readonly shared: boolean;
  /** Without one, who named the folder vouches for the library. */
  readonly needsManifest: boolean;
}

/** Where `file` may lie, in the order in which it is tried. */
export function libraryCandidates(file: string, ownFolders: readonly string[]): LibraryCandidate[] {
  return placesOf(ownFolders).map((place) => {
    const path = join(place.folder, file);
    const refusal = refusalOf(place, path);
    return refusal ? { path, refusal } : hashed(path, place);
  });
}

function placesOf(ownFolders: readonly string[]): Place[] {
  const named = (process.env["HALFBYTE_LIBRARY_PATH"] ?? "").split(delimiter).filter((entry) => entry !== "");
  return [
    ...ownFolders.map((folder) => ({ folder: outsideArchive(folder), shared: false, needsManifest: true })),
    { folder: userStore(), shared: true, needsManifest: true },
    ...named.map((folder) => ({ folder, shared: true, needsManifest: false })),
  ];
}

/** Electron puts packages into an archive, which the system's loader cannot open, and what must stay a file beside it. */
const outsideArchive = (folder: string): string => folder.replace(/\.asar(?=[\\/])/, ".asar.unpacked");

/** Libraries that the user keeps for all projects. */
export function userStore(): string {
  const base = process.env["XDG_DATA_HOME"] || process.env["LOCALAPPDATA"] || join(homedir(), ".local", "share");
  return join(base, "halfbyte", "libraries");
}

function refusalOf({ folder, shared }: Place, path: string): Reason | undefined {
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

function hashed(path: string, { needsManifest }: Place): LibraryCandidate {
  try {
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const refusal = manifestRefusal(path, sha256, needsManifest);
    return refusal ? { path, refusal } : { path, sha256 };
  } catch (thrown) {
    return { path, refusal: reasonOf("LIBRARY_LOAD_FAILED", `${path} cannot be read: ${messageOf(thrown)}.`) };
  }
}
