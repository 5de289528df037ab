/** NVML against a compiled library that answers as the environment says, and against libraries that are missing or broken. */
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { isolateLibrary } from "../src/isolated-library.js";
import type { IsolatedLibrary } from "../src/monitored-world.js";
import { isNvml, type Nvml, type NvmlWorld, openNvml } from "../src/nvml.js";
import type { SystemLibrary } from "../src/world.js";
import { compileNativeStub, noNativeStubs } from "./native-stub.js";

const worldWith = (isolateLibrary: NvmlWorld["isolateLibrary"]): NvmlWorld => ({
  platform: "linux",
  openLibrary: (path) => ({ path, call: () => 0 }),
  isolateLibrary,
});
const opened = (library: IsolatedLibrary) =>
  openNvml(
    worldWith(async () => library),
    1000,
  );

interface Answering extends IsolatedLibrary {
  closed: boolean;
}

/** A library in which every function returns `status`, but for those named. */
function answering(status: number | undefined, others: Readonly<Record<string, number>> = {}): Answering {
  const library: Answering = {
    path: "libnvidia-ml.so.1",
    closed: false,
    call: async (name) => others[name] ?? status,
    close: () => {
      library.closed = true;
    },
  };
  return library;
}

describe("openNvml", () => {
  it("says that it is not there, without starting a process", async () => {
    const names: string[] = [];
    const openLibrary = (name: string): SystemLibrary => {
      names.push(name);
      throw new Error("cannot open shared object file");
    };
    const world = { ...worldWith(() => Promise.reject(new Error("started"))), openLibrary };
    expect(await openNvml(world, 1000)).toMatchObject({ code: "NVML_NOT_FOUND" });
    expect(names).toEqual(["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"]);
    expect(await openNvml({ ...world, platform: "win32" }, 1000)).toMatchObject({ message: "There is no nvml.dll." });
  });

  it.each([
    [9, "CUDA_NO_DRIVER"],
    [18, "CUDA_DRIVER_MISMATCH"],
    [15, "GPU_LOST"],
    [16, "GPU_LOST"],
    [999, "NVML_FAILED"],
    [-7, "NVML_FAILED"],
  ])("translates status %i of its start into %s, and ends its process", async (status, code) => {
    const library = answering(status);
    const reason = await opened(library);
    expect(reason).toMatchObject({ code, remedy: expect.stringMatching(/./) });
    expect((reason as { message: string }).message).toContain(`nvmlInit_v2 answers ${status}`);
    expect(library.closed).toBe(true);
  });

  it("takes a library without its functions for one that fails", async () => {
    expect(await opened(answering(undefined))).toMatchObject({ code: "NVML_FAILED" });
  });

  it("hands on why no process can be started", async () => {
    const refused = Object.assign(new Error("It is a single-file build."), {
      code: "PROBE_UNAVAILABLE",
      remedy: "Use Node.",
    });
    expect(
      await openNvml(
        worldWith(() => Promise.reject(refused)),
        1000,
      ),
    ).toEqual({
      code: "PROBE_UNAVAILABLE",
      message: "It is a single-file build.",
      remedy: "Use Node.",
    });
  });

  it("does not believe an absurd number of GPUs", async () => {
    const call = async (name: string, _: string, ...args: readonly unknown[]) => {
      if (name === "nvmlDeviceGetCount_v2") (args[0] as Uint32Array)[0] = 4_000_000_000;
      return 0;
    };
    const nvml = (await opened({ ...answering(0), call })) as Nvml;
    expect(await nvml.gpus()).toMatchObject({ code: "NVML_FAILED", message: "NVML counts 4000000000 GPUs." });
  });

  it("tells a mismatch that shows only when GPUs are counted", async () => {
    const nvml = (await opened(answering(0, { nvmlDeviceGetCount_v2: 18 }))) as Nvml;
    expect(await nvml.gpus()).toMatchObject({ code: "CUDA_DRIVER_MISMATCH" });
  });
});

describe("a real library in a process of its own", () => {
  beforeEach((ctx) => {
    vi.unstubAllEnvs();
    if (noNativeStubs) ctx.skip(noNativeStubs);
  });

  /** Its process has the environment of this one. */
  async function stub(environment: Readonly<Record<string, string>> = {}, limitMs = 5000): Promise<Nvml> {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const path = compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1");
    const nvml = await openNvml(
      worldWith((_, limit) => isolateLibrary(path, limit)),
      limitMs,
    );
    if (!isNvml(nvml)) throw new Error(nvml.message);
    onTestFinished(() => nvml.close());
    return nvml;
  }

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
    expect(await nvml.gpus()).toEqual(gpus);
  });

  it("leaves out what a GPU does not tell", async () => {
    const nvml = await stub({ STUB_NVML_BARE: "1" });
    const [gpu] = (await nvml.gpus()) as readonly object[];
    expect(Object.keys(gpu!).sort()).toEqual(["capability", "id", "index", "name"]);
  });

  it("names the GPU that is lost and still reads the others", async () => {
    const nvml = await stub({ STUB_NVML_COUNT: "3", STUB_NVML_LOST: "1" });
    const gpus = (await nvml.gpus()) as readonly { lost?: { code: string } }[];
    expect(gpus.map(({ lost }) => lost?.code)).toEqual([undefined, "GPU_LOST", undefined]);
  });

  it("is ended when it hangs, while the event loop goes on", async () => {
    const nvml = await stub({ STUB_NVML_SLOW_MS: "60000" }, 300);
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    const message = expect.stringContaining("nvmlDeviceGetCount_v2 did not answer within 0.3 s");
    expect(await nvml.gpus()).toMatchObject({ code: "NVML_FAILED", message });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    expect(await nvml.gpus()).toMatchObject({ code: "NVML_FAILED", message });
  });

  it("may crash", async () => {
    const nvml = await stub({ STUB_NVML_CRASH: "1" });
    expect(await nvml.gpus()).toMatchObject({
      code: "NVML_FAILED",
      message: expect.stringContaining("its process ended with SIGSEGV"),
    });
  });

  it("lacks a function that is newer than it", async () => {
    const library = await isolateLibrary(compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1"), 5000);
    expect(await library.call("nvmlDeviceGetGpuFabricInfo", "uint64_t", 1n)).toBeUndefined();
    library.close();
    await expect(library.call("nvmlInit_v2", "")).rejects.toThrow("it was closed");
  });

  it("is no library", async () => {
    await expect(isolateLibrary(import.meta.filename, 5000)).rejects.toThrow(/invalid ELF header|file too short/);
  });
});
