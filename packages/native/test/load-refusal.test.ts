/** The sentences of the loaders of glibc, musl, macOS and Windows, and what each means. */
import { expect, it } from "vitest";
import { loadRefusal } from "../src/load-refusal.js";

const sentences = [
  ["libcublasLt.so.12: cannot open shared object file: No such file or directory", "LIBRARY_DEPENDENCY_MISSING"],
  ["/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /libs/a.so)", "GLIBC_TOO_OLD"],
  ["/lib64/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /libs/a.so)", "LIBRARY_DEPENDENCY_MISSING"],
  ["/lib64/libstdc++.so.6: version `CXXABI_1.3.13' not found (required by /libs/a.so)", "LIBRARY_DEPENDENCY_MISSING"],
  ["libcudart.so.12: version `libcudart.so.12' not found (required by /libs/a.so)", "LIBRARY_DEPENDENCY_MISSING"],
  ["/libs/a.so: undefined symbol: cublasLtMatmul, version libcublasLt.so.12", "LIBRARY_DEPENDENCY_MISSING"],
  ["/libs/a.so: invalid ELF header", "LIBRARY_LOAD_FAILED"],
  ["/libs/a.so: file too short", "LIBRARY_LOAD_FAILED"],
  ["/libs/a.so: cannot allocate memory in static TLS block", "LIBRARY_LOAD_FAILED"],
  ["/libs/a.so: wrong ELF class: ELFCLASS32", "LIBRARY_WRONG_ARCHITECTURE"],
  ["/libs/a.so: ELF file data encoding not little-endian", "LIBRARY_WRONG_ARCHITECTURE"],
  ["libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory", "LIBC_MUSL"],
  ["Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /libs/a.so)", "LIBC_MUSL"],
  [
    "Error loading shared library libgomp.so.1: No such file or directory (needed by /libs/a.so)",
    "LIBRARY_DEPENDENCY_MISSING",
  ],
  ["Error relocating /libs/a.so: cudaMalloc: symbol not found", "LIBRARY_DEPENDENCY_MISSING"],
  ["dlopen(/libs/a.dylib, 0x0005): Library not loaded: @rpath/libomp.dylib", "LIBRARY_DEPENDENCY_MISSING"],
  [
    "dlopen(/libs/a.dylib): mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64')",
    "LIBRARY_WRONG_ARCHITECTURE",
  ],
  ["The specified module could not be found.\r\n", "LIBRARY_DEPENDENCY_MISSING"],
  ["The specified procedure could not be found.", "LIBRARY_DEPENDENCY_MISSING"],
  ["a.dll is not a valid Win32 application", "LIBRARY_WRONG_ARCHITECTURE"],
  ["something that nobody has seen", "LIBRARY_LOAD_FAILED"],
] as const;

it.each(sentences)("%s → %s", (sentence, code) => {
  const reason = loadRefusal("/libs/a.so", sentence);
  expect(reason.code).toBe(code);
  expect(reason.message).toContain(sentence.trim());
  expect(reason.remedy).not.toBe("");
});

it("says what was done", () => {
  expect(loadRefusal("/libs/a.so", "no", "being loaded").message).toBe("/libs/a.so, being loaded: no.");
});
