/** Libraries made for a test: compiled from a few lines where a compiler is, or bytes that look like one. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const include = fileURLToPath(new URL("../include", import.meta.url));

/** A folder of this test alone. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "halfbyte-native-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const compilers = [process.env["CXX"], "g++", "clang++", "c++"].filter((name) => name !== undefined);

/** Undefined where none is installed. */
export const compiler = compilers.find((name) => spawnSync(name, ["--version"]).status === 0);

export const noCompiler = `no C++ compiler: none of ${compilers.join(", ")} runs`;

/** Compiles a library from the body of a C++ file that includes halfbyte.h. */
export function compileLibrary(folder: string, body: string): string {
  mkdirSync(folder, { recursive: true });
  const [source, library] = [join(folder, "stub.cpp"), join(folder, "libstub.so")];
  writeFileSync(source, `#include "halfbyte.h"\nextern "C" {\n${body}\n}\n`);
  const { status, stderr } = spawnSync(compiler!, ["-shared", "-fPIC", "-I", include, "-o", library, source]);
  if (status !== 0 || !existsSync(library)) throw new Error(`The stub does not compile: ${String(stderr)}`);
  return library;
}

/** The two functions every library is asked first. */
export const identity = (version: string, info: string): string => `
  uint32_t hb_abi_version(void) { return ${version}; }
  const char *hb_build_info(void) { return ${JSON.stringify(info)}; }`;
