/**
 * Finding and loading a native library. Candidates are absolute paths: the package's own folders, then the entries of
 * HALFBYTE_LIBRARY_PATH that nobody else can write to; never the current folder, never a bare name. Each is asked who it is
 * before a function of it is called, and every refusal is kept.
 */
import { existsSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { type ErrorCode, type HalfbyteError, halfbyteError, messageOf, type Reason } from "@halfbyte/core";
import { abiVersion } from "./abi.js";
import { type BuildInfo, parseBuildInfo } from "./build-info.js";
import { isCutOff } from "./elf.js";
import { type NativeFunctions, type OpenedLibrary, openLibrary } from "./ffi.js";

export interface LibraryCandidate {
  readonly path: string;
  /** Why it must not be loaded, as far as that shows without loading it. */
  readonly refusal?: Reason;
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

const reason = (code: ErrorCode, message: string): Reason => {
  const { remedy } = halfbyteError(code, message);
  return { code, message, remedy };
};

/** The file name of a library on this system: libhalfbyte_cpu.so, .dylib or .dll. */
export function libraryFile(stem: string, platform: NodeJS.Platform = process.platform): string {
  const extension = platform === "win32" ? "dll" : platform === "darwin" ? "dylib" : "so";
  return `lib${stem}.${extension}`;
}

/** Where `file` may lie, in the order in which it is tried. */
export function libraryCandidates(file: string, ownFolders: readonly string[]): LibraryCandidate[] {
  const given = (process.env["HALFBYTE_LIBRARY_PATH"] ?? "").split(delimiter).filter((entry) => entry !== "");
  return [
    ...ownFolders.map((folder) => examined(join(folder, file))),
    ...given.map((folder) => examinedForeign(folder, join(folder, file))),
  ];
}

function examined(path: string): LibraryCandidate {
  const refusal = fileRefusal(path);
  return refusal ? { path, refusal } : { path };
}

function fileRefusal(path: string): Reason | undefined {
  if (!existsSync(path)) return reason("LIBRARY_NOT_FOUND", `${path} does not exist.`);
  return statSync(path).isFile() ? undefined : reason("LIBRARY_NOT_FOUND", `${path} is not a file.`);
}

/** A folder that the environment names: whoever can write to it could run code in this process. */
function examinedForeign(folder: string, path: string): LibraryCandidate {
  if (!isAbsolute(folder))
    return { path, refusal: reason("LIBRARY_PATH_REFUSED", `"${folder}" in HALFBYTE_LIBRARY_PATH is not absolute.`) };
  const candidate = examined(path);
  if (candidate.refusal) return candidate;
  const writable = [dirname(path), path].find(isWritableByOthers);
  if (writable === undefined) return candidate;
  return { path, refusal: reason("LIBRARY_PATH_REFUSED", `${writable} can be written to by every user.`) };
}

/** Windows has no such bits. */
const isWritableByOthers = (path: string): boolean =>
  process.platform !== "win32" && (statSync(path).mode & 0o002) !== 0;

const loaded = new Map<string, LoadedLibrary>();

/** The first candidate that is a library of this backend. Throws the most telling refusal, with all of them in its message. */
export function loadLibrary(backend: string, candidates: readonly LibraryCandidate[], remedy?: string): LoadedLibrary {
  const refused: Refusal[] = [];
  for (const candidate of candidates) {
    const outcome = tryLibrary(backend, candidate);
    if ("functions" in outcome) return { ...outcome, refused };
    refused.push({ path: candidate.path, ...outcome });
  }
  throw libraryError(backend, refused, remedy);
}

/** A library that was loaded once stays: its file may change under it. */
function tryLibrary(backend: string, { path, refusal }: LibraryCandidate): LoadedLibrary | Reason {
  if (refusal) return refusal;
  const known = loaded.get(path);
  if (known) return known.build.backend === backend ? known : wrongBackend(path, known.build.backend, backend);
  const outcome = inspect(backend, path);
  if ("functions" in outcome) loaded.set(path, outcome);
  return outcome;
}

function inspect(backend: string, path: string): LoadedLibrary | Reason {
  const library = opened(path);
  if ("code" in library) return library;
  const version = library.identity.hb_abi_version();
  if (version !== abiVersion)
    return reason("LIBRARY_ABI_MISMATCH", `${path} has ABI version ${version}; this package needs ${abiVersion}.`);
  const build = parseBuildInfo(library.identity.hb_build_info());
  if (!build) return reason("LIBRARY_WRONG_KIND", `The build info of ${path} cannot be read.`);
  if (build.backend !== backend) return wrongBackend(path, build.backend, backend);
  try {
    return { path, functions: library.functions(), build, refused: [] };
  } catch (thrown) {
    return reason("LIBRARY_ABI_MISMATCH", `${path}: ${messageOf(thrown)}.`);
  }
}

function opened(path: string): OpenedLibrary | Reason {
  try {
    if (isCutOff(path)) return reason("LIBRARY_LOAD_FAILED", `${path} ends before its contents do.`);
    return openLibrary(path);
  } catch (thrown) {
    const message = messageOf(thrown);
    if (message.includes("hb_abi_version") || message.includes("hb_build_info"))
      return reason("LIBRARY_WRONG_KIND", `${path} is not a halfbyte library: ${message}.`);
    return reason("LIBRARY_LOAD_FAILED", `${path}: ${message}.`);
  }
}

const wrongBackend = (path: string, found: string, expected: string): Reason =>
  reason("LIBRARY_WRONG_KIND", `${path} is a library of backend "${found}", not of "${expected}".`);

/**
 * Why there is no library. One that is there and does not work says more than those that are not there; `remedy` is for when
 * none is.
 */
export function libraryError(backend: string, refused: readonly Refusal[], remedy?: string): HalfbyteError {
  const found = refused.find(({ code }) => code !== "LIBRARY_NOT_FOUND");
  const code = (found?.code ?? "LIBRARY_NOT_FOUND") as ErrorCode;
  const reasons = refused.map(({ code, message }) => `${message} (${code})`).join(" ");
  const help = found?.remedy ?? remedy;
  return halfbyteError(code, `No native library for backend "${backend}": ${reasons || "there is no place to look."}`, {
    ...(help === undefined ? {} : { remedy: help }),
    details: { ...(found ? { found: found.path } : {}), expected: backend },
  });
}
