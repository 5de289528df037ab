/** That sanitizers see through the emulated device: right kernels pass, and each kind of overrun is found. The kernels of the library: sanitizers.long.test.ts. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compile, emulationFlags, sourcesIn } from "../scripts/build-emulated.mjs";
import { compiler, noSanitizers, sanitizerFlags } from "./sanitizers.js";

const native = resolve(import.meta.dirname, "../native");
const include = resolve(import.meta.dirname, "../../native/include");

describe("the emulated device under sanitizers", () => {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-sanitizers-"));
  const program = join(folder, "overruns");

  beforeAll(() => {
    if (noSanitizers) return;
    const sources = [
      join(native, "test", "overruns.cpp"),
      join(native, "errors.cpp"),
      ...sourcesIn(join(native, "emulation")),
    ];
    compile([...emulationFlags, ...sanitizerFlags, "-I", include, "-I", native, "-o", program, ...sources], compiler);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(({ skip }) => {
    if (noSanitizers) skip(noSanitizers);
  });

  const run = (...args: readonly string[]) =>
    spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ASAN_OPTIONS: "detect_leaks=0" } });

  it("kernels that stay where they belong pass", () => {
    const { status, stdout, stderr } = run();
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "done\n", stderr: "" });
  });

  it.each([
    ["read", /heap-buffer-overflow/, "one word beyond device memory"],
    ["misaligned", /misaligned address/, "a 16-byte load from an address of four"],
    ["shared", /use-after-poison|heap-buffer-overflow/, "one byte beyond dynamic shared memory"],
    ["table", /index 8 out of bounds/, "one entry beyond a static shared array"],
    ["local", /stack-buffer-overflow|insufficient space/, "beyond an array of a thread, after a barrier"],
    ["freed", /heap-use-after-free/, "device memory that was freed"],
  ])("%s: finds %s, %s", (name, said) => {
    const { status, stderr } = run(name);
    expect(stderr).toMatch(said);
    expect(status).not.toBe(0);
  });
});
