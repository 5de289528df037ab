/** What doctor concludes: status, code, who asked, what is used, what to do. The whole report stands in the tests of the command line. */
import { type ErrorCode, errorCatalogue, type Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { describe, expect, it } from "vitest";
import { diagnoseWith } from "../src/diagnose.js";
import { type Status, statuses } from "../src/diagnosis.js";
import { diagnosisOf, installed, instrumentsOf, type Staging, stagedWorld, worldNames } from "./diagnosed-worlds.js";
import { library } from "./libraries.js";

interface Case {
  readonly world: string;
  readonly staging?: Staging;
  readonly status: Status;
  readonly code: string;
  readonly chosen?: string;
  readonly command?: string | null;
}

const crashed = reasonOf("LIBRARY_CRASHED", "It ended by SIGSEGV.");
const allCrash = { cuda118: crashed, cuda124: crashed, cuda130: crashed };
const changed = reasonOf("LIBRARY_CHANGED", "It has another SHA-256 than its manifest says.");
const withRefusal = (refusal: Reason) => installed.map((one) => ({ ...one, refusal }));

const cases: readonly Case[] = [
  {
    world: "bare metal",
    status: "degraded",
    code: "DRIVER_OLDER",
    chosen: "cuda124",
    command: "export HALFBYTE_CUDA_VERSION=118",
  },
  {
    world: "docker",
    status: "degraded",
    code: "DRIVER_OLDER",
    chosen: "cuda124",
    command: "export HALFBYTE_CUDA_VERSION=118",
  },
  {
    world: "docker",
    staging: { options: { prefer: "driver" } },
    status: "ok",
    code: "OTHER_MAJOR",
    chosen: "cuda118",
    command: null,
  },
  { world: "WSL2", status: "ok", code: "HIGHER_MINOR", chosen: "cuda118", command: null },
  { world: "Jetson", status: "unusable", code: "LIBRARY_WRONG_ARCHITECTURE", command: "halfbyte libs build 12.4" },
  { world: "no GPU", status: "cpu-only", code: "CUDA_NO_DRIVER", command: null },
  { world: "old driver", status: "unusable", code: "CUDA_DRIVER_TOO_OLD", command: "sudo ubuntu-drivers install" },
  { world: "broken mix", status: "unusable", code: "CUDA_DRIVER_MISMATCH", command: "sudo reboot" },
  { world: "framework only", status: "cpu-only", code: "CUDA_NO_DRIVER", command: null },
  // Asked for, and not there.
  {
    world: "no GPU",
    staging: { options: { backend: "cuda" } },
    status: "unusable",
    code: "CUDA_NO_DRIVER",
    command: "sudo ubuntu-drivers install",
  },
  { world: "no GPU", staging: { env: { HALFBYTE_BACKEND: "cuda,cpu" } }, status: "unusable", code: "CUDA_NO_DRIVER" },
  { world: "no GPU", staging: { env: { HALFBYTE_BACKEND: "cpu,cuda" } }, status: "cpu-only", code: "CUDA_NO_DRIVER" },
  { world: "no GPU", staging: { env: { HALFBYTE_CUDA_VERSION: "124" } }, status: "unusable", code: "CUDA_NO_DRIVER" },
  // Overrides.
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "118" } },
    status: "ok",
    code: "OTHER_MAJOR",
    chosen: "cuda118",
  },
  {
    world: "docker",
    staging: { env: { BNB_CUDA_VERSION: "124" } },
    status: "degraded",
    code: "DRIVER_OLDER",
    chosen: "cuda124",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "" } },
    status: "override-invalid",
    code: "OVERRIDE_INVALID",
    command: "export HALFBYTE_CUDA_VERSION=124",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "12.4" } },
    status: "override-invalid",
    code: "OVERRIDE_INVALID",
    command: "export HALFBYTE_CUDA_VERSION=124",
  },
  {
    world: "docker",
    staging: { env: { BNB_CUDA_VERSION: "121" } },
    status: "override-invalid",
    code: "OVERRIDE_NOT_FOUND",
    command: "export BNB_CUDA_VERSION=124",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_ROCM_VERSION: "72" } },
    status: "override-invalid",
    code: "OVERRIDE_NOT_FOUND",
    command: "unset HALFBYTE_ROCM_VERSION",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "130" }, fails: { cuda130: crashed } },
    status: "unusable",
    code: "LIBRARY_CRASHED",
    command: "unset HALFBYTE_CUDA_VERSION",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "130" } },
    status: "degraded",
    code: "CUDA_DRIVER_TOO_OLD",
    chosen: "cuda130",
  },
  {
    world: "docker",
    staging: { env: { HALFBYTE_CUDA_VERSION: "130" }, options: { probe: false } },
    status: "unusable",
    code: "CUDA_DRIVER_TOO_OLD",
    command: "unset HALFBYTE_CUDA_VERSION",
  },
  // Probes.
  {
    world: "docker",
    staging: { fails: { cuda124: crashed } },
    status: "degraded",
    code: "LIBRARY_CRASHED",
    chosen: "cuda118",
    command: "export HALFBYTE_CUDA_VERSION=118",
  },
  { world: "docker", staging: { fails: allCrash }, status: "unusable", code: "LIBRARY_CRASHED", command: null },
  {
    world: "docker",
    staging: { options: { probe: false }, fails: allCrash },
    status: "degraded",
    code: "DRIVER_OLDER",
    chosen: "cuda124",
  },
  // Libraries.
  {
    world: "docker",
    staging: { libraries: [] },
    status: "unusable",
    code: "LIBRARY_NOT_FOUND",
    command: "npm install @halfbyte/backend-cuda-linux-x64",
  },
  {
    world: "Jetson",
    staging: { libraries: [] },
    status: "unusable",
    code: "LIBRARY_NOT_FOUND",
    command: "halfbyte libs build 12.4",
  },
  {
    world: "docker",
    staging: { libraries: withRefusal(changed) },
    status: "unusable",
    code: "LIBRARY_CHANGED",
    command: "npm install --force @halfbyte/backend-cuda-linux-x64",
  },
  {
    world: "docker",
    staging: { libraries: [library("cuda130")] },
    status: "unusable",
    code: "CUDA_DRIVER_TOO_OLD",
    command: "halfbyte libs build 12.4",
  },
  {
    world: "WSL2",
    staging: { libraries: [library("cuda118", { sass: [], ptx: [] })] },
    status: "unusable",
    code: "CUDA_NO_CODE_FOR_GPU",
    command: "halfbyte libs build 12.4",
  },
];

describe("the conclusion", () => {
  it.each(cases)("$world, $staging: $status", async ({ world, staging = {}, status, code, chosen, command }) => {
    const diagnosis = await diagnosisOf(world, staging);
    expect(diagnosis).toMatchObject({ status, code, degraded: status === "degraded" });
    expect(diagnosis.chosen?.library).toBe(chosen);
    expect(diagnosis.fallback === null).toBe(chosen !== undefined);
    if (command !== undefined) expect(diagnosis.command).toBe(command);
    expect(diagnosis.remedy).toMatch(/^\w.*\.$/s);
  });

  it("has an exit code for every status", () => {
    const codes = Object.entries(statuses).map(([status, { exitCode }]) => [status, exitCode]);
    expect(codes).toEqual([
      ["ok", 0],
      ["degraded", 0],
      ["cpu-only", 0],
      ["unusable", 1],
      ["override-invalid", 3],
    ]);
  });
});

describe("the founding scenario: the image says 12.4, the framework 12.1, the driver 12.2", () => {
  it("takes cuda124 with a warning, and says that the image plays no part", async () => {
    const { message, sources, versions, matrix, remedy } = await diagnosisOf("docker");
    expect(versions).toEqual({ driver: "12.2", kernelDriver: "535.54.03", host: "12.1", container: "12.4" });
    expect(message).toContain("minor-version compatibility");
    const image = sources.find(({ name }) => name === "container variables")!;
    expect(image).toMatchObject({ usedFor: null, ignoredBecause: expect.stringContaining("not the driver") });
    expect(matrix.libraries).toEqual(["cuda124", "cuda118", "cuda130"]);
    expect(matrix.rows.at(-1)).toEqual({ what: "all together", fits: ["degraded", "compatible", "refused"] });
    expect(remedy).toContain("on the host");
  });
});

describe("the sources", () => {
  it("begin with the override, and tell which variable wins", async () => {
    const env = { HALFBYTE_CUDA_VERSION: "118", BNB_CUDA_VERSION: "124" };
    const { sources, override } = await diagnosisOf("docker", { env });
    expect(override).toEqual({
      variable: "HALFBYTE_CUDA_VERSION",
      value: "118",
      library: "cuda118",
      ignored: "BNB_CUDA_VERSION",
    });
    expect(sources.slice(0, 2)).toMatchObject([
      { name: "HALFBYTE_CUDA_VERSION", value: "118", usedFor: "cuda118 and no other" },
      { name: "BNB_CUDA_VERSION", value: "124", ignoredBecause: "HALFBYTE_CUDA_VERSION goes before it" },
    ]);
  });

  it("have every key, absent things being null", async () => {
    for (const name of worldNames)
      for (const source of (await diagnosisOf(name)).sources)
        expect(Object.keys(source).sort()).toEqual(["error", "ignoredBecause", "ms", "name", "usedFor", "value"]);
  });
});

describe("a diagnosis", () => {
  it("ends with ABORTED when its signal fires", async () => {
    const staging = { options: { signal: AbortSignal.abort() } };
    await expect(diagnosisOf("docker", staging)).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("tries libraries until one passes, and no further", async () => {
    const { probe } = await diagnosisOf("docker", { fails: { cuda124: crashed } });
    expect(probe.tried.map(({ library, passed, code }) => [library, passed, code])).toEqual([
      ["cuda124", false, "LIBRARY_CRASHED"],
      ["cuda118", true, null],
    ]);
  });

  it("has something to do for every code on every machine", async () => {
    for (const name of worldNames)
      for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
        const refusal = reasonOf(code, "It is so.");
        const staging: Staging = { libraries: withRefusal(refusal) };
        const { remedy } = await diagnoseWith(instrumentsOf(staging), stagedWorld(name));
        expect(remedy, `${name}, ${code}`).toMatch(/\w{2}.*\.$/s);
      }
  });
});
