/** A few seconds of random programs over the library as it was built; native.long.test.ts runs more, under sanitizers too. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { cpuLibraries } from "../src/library.js";
import { expectSameDigests } from "./abi-fuzz.js";
import { notBuilt } from "./conformance.js";

const compilers = [process.env["CXX"], "clang++-19", "g++", "clang++"].filter((name) => name !== undefined);
const compiler = compilers.find((name) => spawnSync(name, ["--version"]).status === 0);

const native = resolve(import.meta.dirname, "..", "native", "test");
const include = resolve(import.meta.dirname, "..", "..", "native", "include");

it("random programs over the C ABI give the same bits on every instruction set", ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  if (!compiler || process.platform === "win32") skip(`no C++ compiler: none of ${compilers.join(", ")} runs`);
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-fuzz-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "abi_fuzz");
  const sources = ["abi_fuzz.cpp", "random_operations.cpp"].map((name) => join(native, name));
  const library = dirname(cpuLibraries().find(({ refusal }) => !refusal)!.path);
  const flags = [
    "-std=c++17",
    "-O1",
    "-pthread",
    "-I",
    include,
    "-L",
    library,
    "-lhalfbyte_cpu",
    `-Wl,-rpath,${library}`,
  ];
  const { status, stderr } = spawnSync(compiler!, [...sources, ...flags, "-o", program], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expectSameDigests(program, { firstSeed: 1, seeds: 4, operations: 300 });
});
