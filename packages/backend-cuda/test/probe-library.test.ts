/** One library on one machine: what a probe says, and what a pass is good for. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "@halfbyte/native";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import { findLibraries } from "../src/find-libraries.js";
import { probeLibrary } from "../src/probe-library.js";
import { factsOf, type MachineWords, worldOf } from "./machines.js";
import { cudaLibrary, failingWith, install, noStubs } from "./stub-libraries.js";

beforeEach(() => void vi.stubEnv("XDG_CACHE_HOME", temporaryFolder()));
afterEach(() => vi.unstubAllEnvs());

async function stub(context: TestContext, body: () => Promise<string>) {
  if (noStubs) context.skip(noStubs);
  const folder = install({ id: "cuda124", body: await body() });
  const [library] = await findLibraries(worldOf({}), { folders: [folder] });
  return { folder, library: library! };
}

const machine: MachineWords = { driver: "12.4" };

describe("a library", () => {
  it("that works passes", async (context) => {
    const { library } = await stub(context, () => cudaLibrary("cuda124"));
    expect(await probeLibrary(library, factsOf(machine))).toBeUndefined();
  });

  it("is not touched when its bytes are not those of its manifest", async (context) => {
    const { folder, library } = await stub(context, () => cudaLibrary("cuda124"));
    writeFileSync(join(folder, "libhalfbyte_cuda124.so"), "changed");
    expect((await probeLibrary(library, factsOf(machine)))?.code).toBe("LIBRARY_CHANGED");
  });

  it("whose runtime finds the driver too old names the driver's version", async (context) => {
    const { library } = await stub(context, () => failingWith("cuda124", 35));
    const reason = await probeLibrary(library, factsOf({ driver: "11.4" }));
    expect(reason).toMatchObject({ code: "CUDA_DRIVER_TOO_OLD", message: expect.stringContaining("CUDA 11.4") });
  });

  it("with the same number means that there is no driver, where there is none", async (context) => {
    const { library } = await stub(context, () => failingWith("cuda124", 35));
    const driver = reasonOf("CUDA_NO_DRIVER", "libcuda was not found.");
    expect((await probeLibrary(library, factsOf({ driver })))?.code).toBe("CUDA_NO_DRIVER");
  });

  it("is given up with the caller", async (context) => {
    const { library } = await stub(context, () => cudaLibrary("cuda124", "for (;;) usleep(1000);"));
    const signal = AbortSignal.timeout(300);
    await expect(probeLibrary(library, factsOf(machine), { signal })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("a pass", () => {
  /** How often the library computed something. */
  async function counted(context: TestContext) {
    const log = join(temporaryFolder(), "runs");
    writeFileSync(log, "");
    const count = `FILE *log = fopen("${log}", "a"); fputs("x", log); fclose(log);`;
    const { library } = await stub(context, () => cudaLibrary("cuda124", count));
    return { library, runs: () => readFileSync(log).length };
  }

  it("holds for the same driver and GPUs", async (context) => {
    const { library, runs } = await counted(context);
    for (let i = 0; i < 3; i++) await probeLibrary(library, factsOf(machine));
    expect(runs()).toBe(1);
  });

  it.for([
    ["another driver", { driver: "12.8" }],
    ["another number of GPUs", { driver: "12.4", gpus: ["8.6", "8.6"] }],
    ["GPUs that could not be listed", { driver: "12.4", gpus: null }],
  ] as const)("does not hold for %s", async ([, other], context) => {
    const { library, runs } = await counted(context);
    await probeLibrary(library, factsOf(machine));
    await probeLibrary(library, factsOf(other));
    expect(runs()).toBe(2);
  });

  it("is not remembered where the GPUs are not known", async (context) => {
    const { library, runs } = await counted(context);
    for (let i = 0; i < 2; i++) await probeLibrary(library, factsOf({ driver: "12.4", gpus: null }));
    expect(runs()).toBe(2);
  });
});
