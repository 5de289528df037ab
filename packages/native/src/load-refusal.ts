/**
 * What the system's loader means when it refuses a library: its sentence as a reason with a code. glibc, musl, macOS and Windows
 * each have words of their own.
 */
import type { ErrorCode, Reason } from "@halfbyte/core";
import { reasonOf } from "./reason.js";

interface Meaning {
  readonly says: RegExp;
  readonly code: ErrorCode;
  /** In place of the code's own remedy. */
  readonly remedy?: string;
}

const meanings: readonly Meaning[] = [
  // Which C library, before what else is missing.
  {
    says: /libc\.musl-|ld-musl-/,
    code: "LIBC_MUSL",
    remedy: "This library is made for Alpine and other systems with musl; install the one for glibc.",
  },
  { says: /Error loading shared library (ld-linux|libc\.so\.6)/, code: "LIBC_MUSL" },
  { says: /version [`'"]GLIBC_[\d.]+['"] not found/, code: "GLIBC_TOO_OLD" },
  {
    says: /version [`'"](?:GLIBCXX|CXXABI)_[\d.]+['"] not found/,
    code: "LIBRARY_DEPENDENCY_MISSING",
    remedy: "Update libstdc++ (the package libstdc++6 or libstdc++), or build the library here.",
  },
  // Which machine.
  {
    says: /wrong ELF class|ELF file.*(?:data encoding|machine)|incompatible architecture|wrong architecture/i,
    code: "LIBRARY_WRONG_ARCHITECTURE",
  },
  { says: /not a valid Win32 application/i, code: "LIBRARY_WRONG_ARCHITECTURE" },
  // What else it needs.
  { says: /undefined symbol|symbol not found|version [`'"][\w.]+['"] not found/i, code: "LIBRARY_DEPENDENCY_MISSING" },
  {
    says: /Library not loaded|Error loading shared library|specified (?:module|procedure) could not be found/i,
    code: "LIBRARY_DEPENDENCY_MISSING",
  },
  { says: /cannot open shared object file/, code: "LIBRARY_DEPENDENCY_MISSING" },
];

/** `message` is the loader's, `doing` what was done with the file. */
export function loadRefusal(path: string, message: string, doing = ""): Reason {
  const meaning = meanings.find(({ says }) => says.test(message));
  const about = `${path}${doing && `, ${doing}`}: ${message.trim()}.`;
  return meaning ? reasonOf(meaning.code, about, meaning.remedy) : reasonOf("LIBRARY_LOAD_FAILED", about);
}
