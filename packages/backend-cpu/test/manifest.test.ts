/** The manifest beside the built library says what the library is. */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { loadLibrary } from "@halfbyte/native";
import { expect, it } from "vitest";
import { cpuLibraries } from "../src/library.js";
import { forgetSelfTests, notBuilt } from "./conformance.js";

interface Entry {
  readonly file: string;
  readonly sha256: string;
  readonly glibc: string | null;
}

/** Of the library that would be loaded. */
function entryOf(path: string): Entry {
  const manifest = JSON.parse(readFileSync(join(dirname(path), "manifest.json"), "utf8")) as { libraries: Entry[] };
  expect(manifest.libraries).toHaveLength(1);
  return manifest.libraries[0]!;
}

it("has its hash and its build info", async ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  forgetSelfTests();
  const candidates = cpuLibraries();
  const { path, build } = await loadLibrary(candidates, { backend: "cpu", machine: [] });
  const { backend, version, compiler, isas } = build;
  const { platform, arch } = process;
  const { sha256 } = candidates.find((candidate) => candidate.path === path)!;
  expect(entryOf(path)).toMatchObject({
    file: basename(path),
    sha256,
    backend,
    version,
    compiler,
    isas,
    platform,
    arch,
  });
});

it("names the glibc it needs, which is no newer than this machine's", ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  if (header.glibcVersionRuntime === undefined) skip("this system has no glibc");
  const { glibc } = entryOf(cpuLibraries().find(({ refusal }) => !refusal)!.path);
  expect(glibc).toMatch(/^2\.\d+$/);
  const [needed, present] = [glibc!, header.glibcVersionRuntime!].map((text) => Number(text.split(".")[1]));
  expect(needed).toBeLessThanOrEqual(present!);
});
