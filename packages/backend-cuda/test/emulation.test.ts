/** The emulated device: the C++ test of its warps, barriers and atomics, and what it says of kernels that a GPU would run wrongly. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, emulationFlags, sourcesIn } from "../scripts/build-emulated.mjs";
import { noEmulation } from "./emulated.js";

const native = resolve(import.meta.dirname, "../native");
const include = resolve(import.meta.dirname, "../../native/include");

describe("the emulated device", () => {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-emulation-"));
  beforeAll(() => {
    if (noEmulation) return;
    const emulation = [join(native, "errors.cpp"), ...sourcesIn(join(native, "emulation"))];
    for (const program of ["emulation_test", "tensor_core_test"]) {
      const source = join(native, "test", `${program}.cpp`);
      compile([...emulationFlags, "-I", include, "-I", native, "-o", join(folder, program), source, ...emulation]);
    }
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]) => spawnSync(join(folder, "emulation_test"), args, { encoding: "utf8" });

  it("computes what a GPU computes", ({ skip }) => {
    if (noEmulation) skip(noEmulation);
    const { status, stdout } = run();
    expect({ status, stdout }).toEqual({ status: 0, stdout: "0 failures\n" });
  });

  it("lays out the registers of tensor cores as the PTX manual does", ({ skip }) => {
    if (noEmulation) skip(noEmulation);
    const { status, stdout } = spawnSync(join(folder, "tensor_core_test"), { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "0 failures\n" });
  });

  it.for([
    ["divergent barrier", /a divergent barrier: not all threads of the block reach __syncthreads/],
    ["early leaver", /a divergent barrier/],
    ["divergent shuffle", /a divergent warp operation/],
    ["unnamed caller", /whose mask does not name it/],
    ["absent source", /takes no part in it/],
  ] as const)("reports a kernel with this defect: %s", ([name, said], { skip }) => {
    if (noEmulation) skip(noEmulation);
    const { status, stderr } = run(name);
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/\(block 0, 0, 0\)/);
    expect(status).toBe(0);
  });
});
