/** What the provider tells the registry, how it opens, and how loudly it speaks. Libraries are stubs: no GPU is needed. */
import { type HalfbyteError, openBackend } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import type { CudaOptions } from "../src/cuda-options.js";
import { cudaProvider } from "../src/provider.js";
import { type MachineWords, surroundingsOf } from "./machines.js";
import { atAnyLevel, saidAt } from "./said.js";
import { cudaLibrary, install, installNames, noStubs } from "./stub-libraries.js";

beforeEach(() => {
  vi.stubEnv("XDG_CACHE_HOME", temporaryFolder());
  vi.stubEnv("HALFBYTE_LOG_LEVEL", "debug");
  atAnyLevel();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const noDriver = reasonOf("CUDA_NO_DRIVER", "libcuda was not found.");
const provider = (words: MachineWords, folders: readonly string[] = [], env = {}, options: CudaOptions = {}) =>
  cudaProvider(options, surroundingsOf(words, folders, env));

/** Stubs of these versions that work. */
async function working(context: TestContext, ...ids: readonly string[]): Promise<string> {
  if (noStubs) context.skip(noStubs);
  return install(...(await Promise.all(ids.map(async (id) => ({ id, body: await cudaLibrary(id) })))));
}

describe("detect()", () => {
  it("tells versions, sources, candidates and devices, and reads no library", async () => {
    const folder = installNames("cuda118", "cuda124", "cuda130");
    const detection = await provider({ driver: "12.2", host: "12.1", container: "12.4" }, [folder]).detect();
    expect(detection).toMatchObject({
      provider: "cuda",
      available: true,
      versions: { driver: "12.2", kernelDriver: "535.54.03", host: "12.1", container: "12.4" },
      devices: [{ id: "cuda:0", name: "NVIDIA Test", capability: "8.6", memoryBytes: 2 ** 34, software: false }],
    });
    expect(detection.candidates.map(({ library, verdict, code }) => [library, verdict, code])).toEqual([
      ["cuda124", "degraded", "DRIVER_OLDER"],
      ["cuda118", "compatible", "OTHER_MAJOR"],
      ["cuda130", "refused", "CUDA_DRIVER_TOO_OLD"],
    ]);
    expect(detection.sources.map(({ name }) => name)).toEqual(["libcuda", "container"]);
  });

  it("names its build only where the GPUs are known, which a passed self-test holds for", async () => {
    const folder = installNames("cuda124");
    const build = async (gpus: MachineWords["gpus"]) =>
      (await provider({ driver: "12.4", gpus: gpus ?? null }, [folder]).detect()).versions["build"];
    expect(await build(["8.6"])).toMatch(/^[0-9a-f]{64}$/);
    expect(await build(null)).toBeUndefined();
  });

  it("says why there is nothing to open", async () => {
    const reasonOn = async (words: MachineWords, ...folders: string[]) =>
      (await provider(words, folders).detect()).reason?.code;
    expect(await reasonOn({ driver: noDriver }, installNames("cuda124"))).toBe("CUDA_NO_DRIVER");
    expect(await reasonOn({ driver: "12.4" })).toBe("LIBRARY_NOT_FOUND");
    expect(await reasonOn({ driver: "10.2" }, installNames("cuda124"))).toBe("CUDA_DRIVER_TOO_OLD");
  });

  it("shows an override as its first source", async () => {
    const env = { HALFBYTE_CUDA_VERSION: "118", BNB_CUDA_VERSION: "124" };
    const { sources, reason } = await provider({ driver: "12.4" }, [installNames("cuda124")], env).detect();
    expect(sources[0]).toMatchObject({
      name: "HALFBYTE_CUDA_VERSION",
      value: "118",
      usedFor: expect.stringContaining("BNB_CUDA_VERSION"),
    });
    expect(reason).toMatchObject({ code: "OVERRIDE_NOT_FOUND", message: expect.stringContaining("cuda124") });
  });

  it("never throws", async () => {
    const broken = cudaProvider({}, () => {
      throw new Error("There is no world.");
    });
    expect(await broken.detect()).toMatchObject({
      available: false,
      reason: { code: "DETECT_FAILED", message: expect.stringContaining("There is no world.") },
    });
  });
});

describe("a machine without CUDA", () => {
  const opening = async (words: MachineWords, env = {}, order?: string[]) => {
    const opened = await openBackend([provider(words, [], env)], order ? { order } : {});
    await opened.dispose();
    return opened.report;
  };

  it("is nothing to warn of where there is no NVIDIA hardware", async () => {
    const report = await opening({ driver: noDriver, hardware: false });
    expect(report.skipped).toMatchObject([{ provider: "cuda", code: "CUDA_NO_DRIVER", irrelevant: true }]);
    expect(saidAt("warn")).toEqual([]);
    expect(saidAt("info").join()).toContain("CUDA_NO_DRIVER");
  });

  it.each([
    ["a GPU is there", { driver: noDriver, hardware: true }, {}, undefined],
    ["an override asks for it", { driver: noDriver, hardware: false }, { HALFBYTE_CUDA_VERSION: "124" }, undefined],
    ["it is asked for by name", { driver: noDriver, hardware: false }, {}, ["cuda"]],
    ["the driver is there and does not fit", { driver: "10.2" }, {}, undefined],
    ["the driver is broken", { driver: reasonOf("CUDA_DRIVER_MISMATCH", "803") }, {}, undefined],
  ] as const)("is said aloud where %s", async (_, words, env, order) => {
    const report = await opening(words, env, order && [...order]);
    expect(report.skipped[0]).not.toMatchObject({ irrelevant: true });
    expect(saidAt("warn").join()).toContain(report.skipped[0]!.code);
  });
});

describe("open()", () => {
  it("gives a device of the library chosen", async (context) => {
    const folder = await working(context, "cuda118", "cuda124");
    const device = await provider({ driver: "12.4", host: "12.4" }, [folder]).open();
    expect(device).toMatchObject({ name: "cuda:0", tier: "cuda124", limits: { maxTensorBytes: 2 ** 34 } });
    await device.close();
    expect(saidAt("warn")).toEqual([]);
    expect(saidAt("info").join()).toContain("libhalfbyte_cuda124.so");
    for (const word of ["libcuda: 12.2; used for", "ignored: it describes", "cuda118 compatible (OTHER_MAJOR)"])
      expect(saidAt("debug").join("\n")).toContain(word);
  });

  it("opens another device by its number", async (context) => {
    const folder = await working(context, "cuda124");
    const words = { driver: "12.4", gpus: ["8.6", "8.9"] };
    const device = await provider(words, [folder], {}, { device: "cuda:1" }).open();
    expect(device.name).toBe("cuda:1");
    await device.close();
    await expect(provider(words, [folder]).open({ device: "cuda:2" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("cuda:1 (NVIDIA Test)"),
    });
  });

  it("looks only at the GPU that is asked for", async (context) => {
    const folder = await working(context, "cuda124");
    const words = { driver: "12.4", gpus: ["3.5", "8.6"] };
    await expect(provider(words, [folder]).open()).rejects.toMatchObject({ code: "CUDA_NO_CODE_FOR_GPU" });
    await (await provider(words, [folder], {}, { device: "cuda:1" }).open()).close();
  });

  it("works where the list of GPUs could not be had", async (context) => {
    const folder = await working(context, "cuda124");
    await (await provider({ driver: "12.4", gpus: null }, [folder]).open()).close();
  });

  it("is refused where there is no GPU", async () => {
    const opening = provider({ driver: "12.4", gpus: [] }, [installNames("cuda124")]).open();
    await expect(opening).rejects.toMatchObject({ code: "CUDA_NO_DEVICE" });
  });

  it.each([{ prefer: "newest" as never }, { probeLimitMs: 0 }, { probeLimitMs: Number.NaN }, { device: "gpu" }])(
    "%j is refused",
    async (options) => {
      const opening = provider({ driver: "12.4" }, [], {}, options).open();
      await expect(opening).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("is aborted with its signal", async () => {
    const opening = provider({ driver: "12.4" }, [installNames("cuda124")]).open({ signal: AbortSignal.abort() });
    await expect(opening).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("takes an override, says so and what the checks say", async (context) => {
    const folder = await working(context, "cuda118", "cuda124");
    const env = { HALFBYTE_CUDA_VERSION: "118", BNB_CUDA_VERSION: "124" };
    const device = await provider({ driver: "12.4", host: "12.4" }, [folder], env).open();
    expect(device.tier).toBe("cuda118");
    await device.close();
    const [warning, ...more] = saidAt("warn");
    expect(more).toEqual([]);
    for (const word of [
      "HALFBYTE_CUDA_VERSION=118 forces cuda118",
      "BNB_CUDA_VERSION is set too",
      "compatible (OTHER_MAJOR)",
    ])
      expect(warning).toContain(word);
  });

  it("follows an override against the checks", async (context) => {
    const folder = await working(context, "cuda124", "cuda130");
    const env = { BNB_CUDA_VERSION: "130" };
    const device = await provider({ driver: "12.4" }, [folder], env).open();
    expect(device.tier).toBe("cuda130");
    await device.close();
    expect(saidAt("warn").join()).toContain("refused (CUDA_DRIVER_TOO_OLD)");
  });

  it("the option is an override too, and the variable goes before it", async (context) => {
    const folder = await working(context, "cuda118", "cuda124");
    const tierWith = async (env: object) => {
      const device = await provider({ driver: "12.4" }, [folder], env, { version: "118" }).open();
      await device.close();
      return device.tier;
    };
    expect(await tierWith({})).toBe("cuda118");
    expect(await tierWith({ HALFBYTE_CUDA_VERSION: "124" })).toBe("cuda124");
    expect(saidAt("warn").join()).toContain("the option version is set too");
  });

  it("says what was found, asked for and there, when it fails", async () => {
    const folder = installNames("cuda124", "cuda130");
    const detailsOf = async (words: MachineWords, env = {}) =>
      (await provider(words, [folder], env)
        .open()
        .catch((error: unknown) => error)) as HalfbyteError;
    expect((await detailsOf({ driver: "11.4", host: "11.2" })).details).toEqual({
      detected: "driver with CUDA 11.4; kernel driver 535.54.03; NVIDIA Test (8.6)",
      requested: "CUDA 11.2, as onnxruntime-node",
      available: "cuda124, cuda130",
    });
    expect((await detailsOf({ driver: noDriver, gpus: null }, { BNB_CUDA_VERSION: "124" })).details).toMatchObject({
      detected: expect.stringContaining("no driver (CUDA_NO_DRIVER)"),
      requested: "BNB_CUDA_VERSION=124",
    });
  });

  it("an override has no fallback", async (context) => {
    const folder = await working(context, "cuda124");
    for (const [value, code] of [
      ["118", "OVERRIDE_NOT_FOUND"],
      ["", "OVERRIDE_INVALID"],
      ["12.4", "OVERRIDE_INVALID"],
    ]) {
      const opening = provider({ driver: "12.4" }, [folder], { HALFBYTE_CUDA_VERSION: value }).open();
      await expect(opening).rejects.toMatchObject({ code, message: expect.stringContaining("cuda124") });
    }
  });
});
