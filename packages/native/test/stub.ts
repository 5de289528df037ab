/** Libraries made for a test, compiled from a few lines where a compiler is. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type Answer, knownAnswer } from "../src/known-answer.js";
import type { FoundLibrary } from "../src/library-candidates.js";

const include = fileURLToPath(new URL("../include", import.meta.url));

/** A folder of this test alone. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "halfbyte-native-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const compilers = [process.env["CXX"], "g++", "clang++", "c++"].filter((name) => name !== undefined);

const compiler = compilers.find((name) => spawnSync(name, ["--version"]).status === 0);

/** Why no stub can be compiled here, if so. */
export const noStubs =
  process.platform !== "linux"
    ? "stubs are built on Linux"
    : compiler === undefined
      ? `no C++ compiler: none of ${compilers.join(", ")} runs`
      : undefined;

/** Compiles a library from the body of a C++ file that includes halfbyte.h. */
export function compileLibrary(folder: string, body: string, ...options: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  const [source, library] = [join(folder, "stub.cpp"), join(folder, "libstub.so")];
  writeFileSync(source, `${includes}extern "C" {\n${body}\n}\n`);
  const flags = ["-shared", "-fPIC", "-I", include, "-o", library, source, ...options];
  const { status, stderr } = spawnSync(compiler!, flags);
  if (status !== 0 || !existsSync(library)) throw new Error(`The stub does not compile: ${String(stderr)}`);
  return library;
}

/** A file as a candidate. */
export const found = (path: string): FoundLibrary => ({
  path,
  sha256: createHash("sha256").update(readFileSync(path)).digest("hex"),
});

const includes = ["halfbyte.h", "cstdio", "cstdlib", "cstring", "unistd.h"]
  .map((name) => `#include <${name}>\n`)
  .join("");

/** The two functions every library is asked first. */
export const identity = (version = "HB_ABI_VERSION", info = '{"backend":"cpu"}'): string => `
  uint32_t hb_abi_version(void) { return ${version}; }
  const char *hb_build_info(void) { return ${JSON.stringify(info)}; }`;

/** Statements that run when the library is loaded. */
export const atLoad = (statements: string): string =>
  `__attribute__((constructor)) static void at_load() { ${statements} }`;

/** Every function of the ABI. Memory is the process's own, and quantizing gives the known answer whatever is asked. */
export async function workingLibrary(quantize = "", info?: string): Promise<string> {
  const { codes, absmax }: Answer = await knownAnswer();
  const body = `${identity("HB_ABI_VERSION", info)}
  hb_status hb_queue_create(int32_t, int32_t, hb_queue **out) { *out = (hb_queue *)out; return HB_OK; }
  int32_t hb_queue_done(hb_queue *, uint64_t) { return 1; }
  void *hb_alloc(hb_queue *, uint64_t bytes, int32_t) { return calloc(1, bytes); }
  void hb_free(hb_queue *, void *tensor) { free(tensor); }
  hb_status hb_write(hb_queue *, void *tensor, uint64_t offset, const void *host, uint64_t bytes, int32_t) {
    memcpy((char *)tensor + offset, host, bytes);
    return HB_OK;
  }
  hb_status hb_read(hb_queue *, const void *tensor, uint64_t offset, void *host, uint64_t bytes) {
    memcpy(host, (const char *)tensor + offset, bytes);
    return HB_OK;
  }
  hb_status hb_quantize_4bit(hb_queue *, const void *, hb_dtype, uint64_t, const float *, hb_format, uint32_t, hb_profile,
                             uint8_t *codes, float *absmax, int64_t *) {
    const uint8_t known_codes[] = {${codes.join()}};
    const float known_absmax[] = {${absmax.join()}};
    memcpy(codes, known_codes, sizeof known_codes);
    memcpy(absmax, known_absmax, sizeof known_absmax);
    ${quantize}
    return HB_OK;
  }`;
  return body + otherFunctions(body);
}

/** The functions of the header that a body lacks; they do nothing. */
export function otherFunctions(body: string): string {
  const header = readFileSync(join(include, "halfbyte.h"), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...header.matchAll(/HB_API ([\w\s]+?\*?)\s*(hb_\w+)\([^;]*\);/g)]
    .filter(([, , name]) => !body.includes(`${name}(`))
    .map(([prototype, result]) => `\n${prototype.slice(0, -1)} { return${result === "void" ? "" : " 0"}; }`)
    .join("");
}
