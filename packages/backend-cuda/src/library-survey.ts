/** Every CUDA library that may be loaded here, with what it is worth on this machine; and whether its bytes are the right ones. */
import { basename, dirname } from "node:path";
import type { Reason } from "@halfbyte/core";
import { verifiedLibrary } from "@halfbyte/native";
import { isBuildName } from "@halfbyte/native/library-store";
import { type Instruments, instruments } from "./instruments.js";
import { libraryId } from "./library-name.js";
import { formatVersion } from "./runtime-version.js";
import type { SelectableLibrary, Verdict } from "./selection.js";
import type { World } from "./world.js";

export interface SurveyedLibrary extends Pick<Verdict, "library" | "version" | "path" | "verdict" | "code" | "reason"> {
  /** Compute capabilities with machine code, and with PTX. */
  readonly sass: readonly string[];
  readonly ptx: readonly string[];
  /** As its manifest says; null where that is unusable. */
  readonly sha256: string | null;
  /** Its id in the user's store; null for libraries of packages and named folders. */
  readonly build: string | null;
  /** Whether it is the one that would be tried first. */
  readonly first: boolean;
}

export interface VerifiedLibrary {
  readonly library: string;
  readonly path: string;
  /** Of its bytes; null where there is a reason. */
  readonly sha256: string | null;
  readonly reason: Reason | null;
}

type Look = Pick<Instruments, "examine" | "findLibraries" | "choose">;

export const surveyLibraries = (world: World, signal?: AbortSignal): Promise<SurveyedLibrary[]> =>
  surveyLibrariesWith(instruments, world, signal);

export const verifyLibraries = (world: World): Promise<VerifiedLibrary[]> => verifyLibrariesWith(instruments, world);

/** In the order in which they are tried; the refused ones last. */
export async function surveyLibrariesWith(
  { examine, findLibraries, choose }: Look,
  world: World,
  signal?: AbortSignal,
): Promise<SurveyedLibrary[]> {
  const [examination, libraries] = await Promise.all([
    examine(world, { depth: "full", ...(signal && { signal }) }),
    findLibraries(world),
  ]);
  const { selection } = choose(examination, libraries, world.env);
  const first = selection.usable[0]?.path;
  const byPath = new Map(libraries.map((library) => [library.path, library]));
  return selection.candidates.flatMap((verdict) => {
    const library = byPath.get(verdict.path);
    return library ? [surveyed(library, verdict, verdict.path === first)] : [];
  });
}

function surveyed(
  {
    sass,
    ptx,
    sha256 = null,
  }: { sass: SelectableLibrary["sass"]; ptx: SelectableLibrary["ptx"]; sha256?: string | null },
  { library, version, path, verdict, code, reason }: Verdict,
  first: boolean,
): SurveyedLibrary {
  const capabilities = { sass: sass.map(formatVersion), ptx: ptx.map(formatVersion) };
  return { library, version, path, verdict, code, reason, ...capabilities, sha256, build: buildOf(path), first };
}

function buildOf(path: string): string | null {
  const folder = basename(dirname(path));
  return isBuildName(folder) ? folder : null;
}

/** Reads each library and compares its hash with its manifest's. */
export async function verifyLibrariesWith(
  { findLibraries }: Pick<Look, "findLibraries">,
  world: World,
): Promise<VerifiedLibrary[]> {
  const libraries = await findLibraries(world);
  return libraries.map((library) => verified(libraryId(library), library.path));
}

export function verified(library: string, path: string): VerifiedLibrary {
  const { sha256 = null, refusal = null } = verifiedLibrary(path);
  return { library, path, sha256, reason: refusal };
}
