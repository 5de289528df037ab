/** Libraries for tests, compiled from test/native/*.c where a compiler is. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const compilers = [process.env["CC"], "gcc", "clang", "cc"].filter((name) => name !== undefined);
const compiler = compilers.find((name) => spawnSync(name, ["--version"]).status === 0);

/** Why none can be compiled here, if so. */
export const noNativeStubs =
  process.platform !== "linux"
    ? "stubs are built on Linux"
    : compiler === undefined
      ? `no C compiler: none of ${compilers.join(", ")} runs`
      : undefined;

/** Compiles test/native/<source> into `folder`, by default one that is removed after the test. */
export function compileNativeStub(source: string, file: string, folder = folderOfTest()): string {
  const library = join(folder, file);
  const flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", `-Wl,-soname,${file}`, "-o", library];
  const { status, stderr } = spawnSync(compiler!, [...flags, join(import.meta.dirname, "native", source)]);
  if (status !== 0) throw new Error(`${source} does not compile: ${String(stderr)}`);
  return library;
}

function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-cuda-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
