/** Loading a native library: each candidate is tried in a process of its own first, and every refusal is kept. */
import { type ErrorCode, type HalfbyteError, halfbyteError, logOnce, messageOf, type Reason } from "@halfbyte/core";
import type { BuildInfo } from "./build-info.js";
import { elfRefusal } from "./elf.js";
import type { NativeFunctions } from "./functions.js";
import { identify, wrongBackend } from "./identity.js";
import type { FoundLibrary, LibraryCandidate } from "./library-candidates.js";
import { loadRefusal } from "./load-refusal.js";
import { type ProbeOptions, probe } from "./probe.js";

export interface LoadOptions extends ProbeOptions {
  /** For when no library is there. */
  readonly remedy?: string;
  /** How to say that none of the candidates works. Default: libraryError(). */
  readonly noneLeft?: (refused: readonly Refusal[]) => HalfbyteError;
}

export interface Refusal extends Reason {
  readonly path: string;
}

export interface LoadedLibrary {
  readonly path: string;
  readonly functions: NativeFunctions;
  readonly build: BuildInfo;
  /** Candidates that came before it. */
  readonly refused: readonly Refusal[];
}

/** The first candidate that is a library of this backend. Throws the most telling refusal, with all of them in its message. */
export async function loadLibrary(
  candidates: readonly LibraryCandidate[],
  options: LoadOptions,
): Promise<LoadedLibrary> {
  const refused: Refusal[] = [];
  for (const candidate of candidates) {
    const outcome = candidate.refusal ?? (await loadOnce(candidate, options));
    if ("functions" in outcome) return announced({ ...outcome, refused });
    refused.push({ path: candidate.path, ...outcome });
  }
  throw options.noneLeft?.(refused) ?? libraryError(options.backend, refused, options.remedy);
}

type Outcome = LoadedLibrary | Reason;

/** A library that was loaded once stays: its file may change under it. */
const loaded = new Map<string, LoadedLibrary>();

async function loadOnce(library: FoundLibrary, options: LoadOptions): Promise<Outcome> {
  const { path } = library;
  const known = loaded.get(path);
  const outcome = known ?? (await tryLibrary(library, options));
  if ("code" in outcome) return outcome;
  loaded.set(path, outcome);
  const { backend } = outcome.build;
  return backend === options.backend ? outcome : wrongBackend(path, backend, options.backend);
}

const tryLibrary = async (library: FoundLibrary, options: LoadOptions): Promise<Outcome> =>
  (await tryOut(library, options)) ?? load(library.path, options.backend);

/** Why this library must not be loaded: by its headers, then by what it does in a process of its own. Loads nothing into this one. */
export const tryOut = async (library: FoundLibrary, options: ProbeOptions): Promise<Reason | undefined> =>
  elfRefusal(library.path) ?? (await probe(library, options));

/** A pass that was remembered may be of another day: what costs nothing is asked again. */
async function load(path: string, backend: string): Promise<Outcome> {
  try {
    // Only now: where koffi has no binary for the machine, importing it throws, and other tiers do without it.
    const { openLibrary } = await import("./ffi.js");
    const { identity, functions } = openLibrary(path);
    const build = identify(path, backend, { version: identity.hb_abi_version(), info: identity.hb_build_info() });
    return "code" in build ? build : { path, functions: functions(), build, refused: [] };
  } catch (thrown) {
    return loadRefusal(path, messageOf(thrown));
  }
}

/** What was there and does not work is said, though another one does. */
function announced(library: LoadedLibrary): LoadedLibrary {
  const broken = library.refused.filter(isTelling);
  if (broken.length > 0) logOnce("warn", `using ${library.path} because\n${broken.map(sayRefusal).join("\n")}`);
  return library;
}

const isTelling = ({ code }: Refusal): boolean => code !== "LIBRARY_NOT_FOUND";

const sayRefusal = ({ code, message, remedy }: Refusal): string => `  (${code}) ${message} ${remedy}`;

/**
 * Why there is no library. One that is there and does not work says more than those that are not there; `remedy` is for when
 * none is.
 */
export function libraryError(backend: string, refused: readonly Refusal[], remedy?: string): HalfbyteError {
  const found = refused.find(isTelling);
  const code = (found?.code ?? "LIBRARY_NOT_FOUND") as ErrorCode;
  const reasons = refused.map(({ code, message }) => `${message} (${code})`).join(" ");
  const help = found?.remedy ?? remedy;
  return halfbyteError(code, `No native library for backend "${backend}": ${reasons || "there is no place to look."}`, {
    ...(help === undefined ? {} : { remedy: help }),
    details: { ...(found ? { found: found.path } : {}), expected: backend },
  });
}
