/**
 * The C++ tests of the library: runtime (queue, pool, memory) on each instruction set, every SIMD kernel against the scalar one, and random
 * programs over the C ABI, plain and under sanitizers. Needs CMake and a C++ compiler; minutes of compiling.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { expectSameDigests } from "./abi-fuzz.js";
import { isThere, run } from "./programs.js";

const source = resolve(import.meta.dirname, "..");
const minutes = 60_000;

describe.each(["none", "address", "thread"])("sanitizer %s", (sanitizer) => {
  it("builds, and every test passes", { timeout: 30 * minutes }, (context) => {
    if (!isThere("cmake")) return context.skip("no CMake found: install cmake and g++ or clang++");
    const build = mkdtempSync(join(tmpdir(), "halfbyte-native-"));
    onTestFinished(() => rmSync(build, { recursive: true, force: true }));
    const options = ["-DCMAKE_BUILD_TYPE=Release", "-DHB_TESTS=ON", `-DHB_OUTPUT=${build}`];
    if (sanitizer !== "none") options.push(`-DHB_SANITIZE=${sanitizer}`);
    expect(run("cmake", "-S", source, "-B", build, ...options)).toMatchObject({ status: 0 });
    expect(run("cmake", "--build", build, "-j2")).toMatchObject({ status: 0 });
    expect(run("ctest", "--test-dir", build, "--output-on-failure")).toMatchObject({ status: 0 });
    expectSameDigests(join(build, "abi_fuzz"), {
      firstSeed: 100,
      seeds: sanitizer === "none" ? 200 : 20,
      operations: 300,
    });
  });
});
