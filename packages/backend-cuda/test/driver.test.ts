/** The real path to a driver: koffi, the system's loader and a process of its own, against stubs that are compiled here. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Examination } from "../src/machine-facts.js";
import { compileNativeStub, noNativeStubs } from "./native-stub.js";

const script = fileURLToPath(new URL("./examine-each.ts", import.meta.url));

interface Machine {
  readonly what: string;
  readonly variables: Readonly<Record<string, string>>;
}

const versions = [
  "11.0",
  "11.1",
  "11.4",
  "11.8",
  "12.0",
  "12.1",
  "12.2",
  "12.4",
  "12.8",
  "12.9",
  "13.0",
  "13.1",
  "14.0",
];
const numberOf = (version: string): string => {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  return String(1000 * major + 10 * minor);
};
const byVersion = versions.map((version) => ({ what: version, variables: { STUB_DRIVER: numberOf(version) } }));

const failures = {
  "the toolkit's stub": [{ STUB_DRIVER_STATUS: "34" }, "CUDA_STUB_DRIVER"],
  "no driver behind it": [{ STUB_DRIVER: "0" }, "CUDA_NO_DRIVER"],
  "a negative version": [{ STUB_DRIVER: "-12040" }, "CUDA_FAILED"],
  "a huge version": [{ STUB_DRIVER: "2147483647" }, "CUDA_FAILED"],
  "no device": [{ STUB_CUINIT: "100" }, "CUDA_NO_DEVICE"],
  "a count of 0": [{ STUB_COUNT: "0" }, "CUDA_NO_DEVICE"],
  "a fabric that is not ready": [{ STUB_CUINIT: "802" }, "CUDA_NOT_READY"],
  "another kernel driver": [{ STUB_CUINIT: "803" }, "CUDA_DRIVER_MISMATCH"],
  "cuda-compat on another GPU": [{ STUB_CUINIT: "804" }, "CUDA_FORWARD_COMPAT"],
  "an unknown error": [{ STUB_CUINIT: "999" }, "CUDA_FAILED"],
  "a crash in cuInit": [{ STUB_DO_IN_CUINIT: "crash" }, "CUDA_FAILED"],
} as const;
const others = {
  hang: { STUB_DO_IN_CUINIT: "hang" },
  bare: { STUB_BARE: "1" },
  many: { STUB_COUNT: "8", STUB_CC: "120" },
  lying: { STUB_COUNT: "3", STUB_CC: "-7" },
  "a negative count": { STUB_COUNT: "-1" },
  "NVML of another version": { STUB_NVML_INIT: "18" },
  "no process to start": { HALFBYTE_PROBE_CHILD: "1" },
  "a slow NVML": { STUB_NVML_SLOW_MS: "60000" },
};

const machines: readonly Machine[] = [
  ...byVersion,
  ...Object.entries(failures).map(([what, [variables]]) => ({ what, variables })),
  ...Object.entries(others).map(([what, variables]) => ({ what, variables })),
];

/** What was found on each machine, by its name. */
const found = new Map<string, Examination>();
const limitMs = 1500;

describe("a driver on the loader's path", () => {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-driver-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(({ skip }) => {
    if (noNativeStubs) skip(noNativeStubs);
  });

  beforeAll(async () => {
    if (noNativeStubs) return;
    compileNativeStub("stub_libcuda.c", "libcuda.so.1", folder);
    compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1", folder);
    const request = JSON.stringify({ sets: machines.map(({ variables }) => variables), limitMs });
    const args = ["--conditions=@halfbyte/source", "--import", "tsx", script, request];
    const env = { ...process.env, LD_LIBRARY_PATH: folder };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    const results = JSON.parse(stdout) as Examination[];
    machines.forEach(({ what }, i) => {
      found.set(what, results[i]!);
    });
  }, 120_000);

  const factsOf = (what: string) => found.get(what)!.facts;
  const sourceOf = (what: string, name: string) => found.get(what)!.sources.find((source) => source.name === name)!;

  it.each(versions)("of CUDA %s tells its version and its GPU", (version) => {
    const [major, minor] = version.split(".").map(Number);
    expect(factsOf(version)).toMatchObject({
      driver: { major, minor },
      libcuda: expect.stringMatching(/libcuda\.so\.1$/),
      kernelDriver: "550.54.14",
      hardware: true,
      gpus: [
        {
          id: "GPU-11111111-1111-1111-1111-111111111164",
          name: "Stub GPU 0",
          capability: { major: 8, minor: 6 },
          memoryBytes: 24 * 2 ** 30,
        },
      ],
    });
    expect(sourceOf(version, "NVML").value).toContain("driver 550.54.14, CUDA up to 12.4");
  });

  it.each(Object.entries(failures))("with %s has a reason", (what, [, code]) => {
    expect(factsOf(what).driver).toMatchObject({ code, remedy: expect.stringMatching(/.../) });
  });

  it("that hangs is cut off, and says where", () => {
    expect(sourceOf("hang", "GPUs (CUDA)").error).toContain("cut off in cuInit");
    // Who takes long is not broken.
    expect(factsOf("hang").driver).toEqual({ major: 12, minor: 4 });
    // CUDA_VISIBLE_DEVICES is not set, so NVML's list can stand in.
    expect(factsOf("hang").gpus).toMatchObject([{ name: "Stub GPU 0" }]);
  });

  it("that tells little still lists its GPU", () => {
    expect(factsOf("bare").gpus).toEqual([{ id: "0", name: "GPU 0", capability: { major: 8, minor: 6 } }]);
  });

  it("with many GPUs lists each", () => {
    const { gpus } = factsOf("many");
    expect(gpus!.map(({ id }) => id)).toHaveLength(8);
    expect(new Set(gpus!.map(({ id }) => id)).size).toBe(8);
    expect(gpus![7]).toMatchObject({ name: "Stub GPU 7", capability: { major: 12, minor: 0 } });
  });

  it("with an impossible capability lists none of it", () => {
    expect(factsOf("lying").gpus).toEqual([]);
    expect(sourceOf("lying", "GPUs (CUDA)").value).toContain("Stub GPU 0 (silent)");
  });

  it("with a negative count says so", () => {
    expect(sourceOf("a negative count", "GPUs (CUDA)").error).toBe("-1 GPUs were counted and 0 described");
  });

  it("whose NVML is of another version says that", () => {
    expect(sourceOf("NVML of another version", "NVML")).toMatchObject({ error: expect.stringContaining("18") });
  });

  it("where no process can be started keeps its version, and says why nothing else is known", () => {
    expect(sourceOf("no process to start", "GPUs (CUDA)").error).toContain("it is not Node");
    expect(factsOf("no process to start")).toMatchObject({ driver: { major: 12, minor: 4 } });
    expect(factsOf("no process to start").gpus).toBeUndefined();
  });

  it("whose NVML hangs is examined without it", () => {
    expect(sourceOf("a slow NVML", "NVML").error).toMatch(/cut off in nvml|did not answer/);
    expect(factsOf("a slow NVML").driver).toEqual({ major: 12, minor: 4 });
  });
});
