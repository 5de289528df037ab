/** NVML against a compiled library that answers as the environment says, and against libraries that are missing or broken. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { isNvml, type Nvml, openNvml } from "../src/nvml.js";
import { openSystemLibrary } from "../src/system-library.js";
import type { SystemLibrary } from "../src/world.js";
import { compileNativeStub, noNativeStubs } from "./native-stub.js";

const opened = async (library: SystemLibrary) => openNvml({ platform: "linux", openLibrary: () => library });

/** A library in which every function returns `status`, but for those named. */
function answering(status: number, others: Readonly<Record<string, number>> = {}): SystemLibrary {
  const call = (name: string): number => others[name] ?? status;
  return { path: "libnvidia-ml.so.1", call, callAsync: async (name) => call(name) };
}

describe("openNvml", () => {
  it("says that it is not there", async () => {
    const names: string[] = [];
    const openLibrary = (name: string): SystemLibrary => {
      names.push(name);
      throw new Error("cannot open shared object file");
    };
    expect(await openNvml({ platform: "linux", openLibrary })).toMatchObject({ code: "NVML_NOT_FOUND" });
    expect(names).toEqual(["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"]);
    expect(await openNvml({ platform: "win32", openLibrary })).toMatchObject({
      message: "There is no nvml.dll.",
    });
  });

  it.each([
    [9, "CUDA_NO_DRIVER"],
    [18, "CUDA_DRIVER_MISMATCH"],
    [15, "GPU_LOST"],
    [16, "GPU_LOST"],
    [999, "NVML_FAILED"],
    [-7, "NVML_FAILED"],
  ])("translates status %i of its start into %s", async (status, code) => {
    const reason = await opened(answering(status));
    expect(reason).toMatchObject({ code, remedy: expect.stringMatching(/./) });
    expect((reason as { message: string }).message).toContain(`nvmlInit_v2 answers ${status}`);
  });

  it("takes a library without its functions for one that fails", async () => {
    const missing = async () => {
      throw new Error("Cannot find function in shared library");
    };
    expect(await opened({ path: "x", call: () => 0, callAsync: missing })).toMatchObject({ code: "NVML_FAILED" });
  });

  it("does not believe an absurd number of GPUs", async () => {
    const library = answering(0);
    const callAsync = async (name: string, _: string, ...args: readonly unknown[]) => {
      if (name === "nvmlDeviceGetCount_v2") (args[0] as Uint32Array)[0] = 4_000_000_000;
      return 0;
    };
    const nvml = (await opened({ ...library, callAsync })) as Nvml;
    expect(await nvml.gpus()).toMatchObject({ code: "NVML_FAILED", message: "NVML counts 4000000000 GPUs." });
  });

  it("tells a mismatch that shows only when GPUs are counted", async () => {
    const nvml = (await opened(answering(0, { nvmlDeviceGetCount_v2: 18 }))) as Nvml;
    expect(await nvml.gpus()).toMatchObject({ code: "CUDA_DRIVER_MISMATCH" });
  });
});

describe("a real library", () => {
  beforeEach((ctx) => {
    ctx.skip(noNativeStubs !== undefined, noNativeStubs);
  });

  /** Its environment is that of this process: koffi calls it here. */
  async function stub(environment: Readonly<Record<string, string>> = {}): Promise<Nvml> {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const nvml = await opened(openSystemLibrary(compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1")));
    if (!isNvml(nvml)) throw new Error(nvml.message);
    return nvml;
  }

  beforeEach(() => void vi.unstubAllEnvs());

  it("tells versions and everything about a GPU", async () => {
    const nvml = await stub({ STUB_NVML_DRIVER: "535.54.03", STUB_NVML_CUDA: "12020", STUB_NVML_COUNT: "2" });
    expect(await nvml.versions()).toEqual({ driver: "535.54.03", cuda: { major: 12, minor: 2 } });
    const gpus = await nvml.gpus();
    expect(gpus).toHaveLength(2);
    expect(gpus).toMatchObject([
      {
        id: "GPU-00000000-0000-0000-0000-000000000000",
        index: 0,
        name: "Stub GPU 0",
        capability: { major: 8, minor: 6 },
        memory: { usedBytes: 6 * 2 ** 30, totalBytes: 24 * 2 ** 30 },
        utilization: 0.42,
        temperatureCelsius: 55,
        powerWatts: 123.5,
      },
      { index: 1, name: "Stub GPU 1" },
    ]);
    await nvml.close();
  });

  it("leaves out what a GPU does not tell", async () => {
    const nvml = await stub({ STUB_NVML_BARE: "1" });
    const [gpu] = (await nvml.gpus()) as readonly object[];
    expect(Object.keys(gpu!).sort()).toEqual(["capability", "id", "index", "name"]);
    await nvml.close();
  });

  it("names the GPU that is lost and still reads the others", async () => {
    const nvml = await stub({ STUB_NVML_COUNT: "3", STUB_NVML_LOST: "1" });
    const gpus = (await nvml.gpus()) as readonly { lost?: { code: string } }[];
    expect(gpus.map(({ lost }) => lost?.code)).toEqual([undefined, "GPU_LOST", undefined]);
    await nvml.close();
  });

  it("does not hold up the event loop", async () => {
    const nvml = await stub({ STUB_NVML_SLOW_MS: "20" });
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await nvml.gpus();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    await nvml.close();
  });
});
