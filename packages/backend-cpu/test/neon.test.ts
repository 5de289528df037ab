/**
 * The NEON kernels on any machine: compiled for 64-bit Arm without a warning, and the C++ tests of the library under qemu, which has the dot
 * product instructions too. Correctness alone: an emulator says nothing about speed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { reasonWithoutAarch64 } from "./aarch64.js";
import { run } from "./programs.js";

const source = resolve(import.meta.dirname, "..");
const minutes = 60_000;

it("every C++ test passes on an emulated Arm machine", { timeout: 15 * minutes }, ({ skip }) => {
  const reason = reasonWithoutAarch64();
  if (reason) skip(reason);
  const build = mkdtempSync(join(tmpdir(), "halfbyte-aarch64-"));
  onTestFinished(() => rmSync(build, { recursive: true, force: true }));
  const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(source, "cmake", "aarch64-linux.cmake")}`;
  const options = ["-DCMAKE_BUILD_TYPE=Release", "-DHB_TESTS=ON", `-DHB_OUTPUT=${build}`];
  expect(run("cmake", "-S", source, "-B", build, toolchain, ...options)).toMatchObject({ status: 0 });
  const compiled = run("cmake", "--build", build, "-j2");
  expect(compiled).toMatchObject({ status: 0 });
  expect(compiled.output).not.toContain("warning:");
  const tested = run("ctest", "--test-dir", build, "-j2", "--verbose");
  expect(tested).toMatchObject({ status: 0 });
  // With and without dot products.
  expect(tested.output.match(/neon +int8_matmul .* 0 bad/g)).toHaveLength(2);
});
