/**
 * What the project was founded for: an image of CUDA 12.4, a framework with its own 12.1, a driver of 12.2. The machine is the recorded
 * one, the libraries are stubs that work as far as a probe sees.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import type { CudaOptions } from "../src/cuda-options.js";
import { examine } from "../src/examine.js";
import { findLibraries } from "../src/find-libraries.js";
import { cudaProvider } from "../src/provider.js";
import { atAnyLevel, saidAt } from "./said.js";
import { cudaLibrary, install, noStubs } from "./stub-libraries.js";
import { docker, recordedWorld } from "./worlds/index.js";

let folder: string;
beforeEach(async (context) => {
  if (noStubs) context.skip(noStubs);
  vi.stubEnv("XDG_CACHE_HOME", temporaryFolder());
  const ids = ["cuda118", "cuda124", "cuda130"];
  folder = install(...(await Promise.all(ids.map(async (id) => ({ id, body: await cudaLibrary(id) })))));
  atAnyLevel();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const provider = (options: CudaOptions = {}, env = {}) =>
  cudaProvider(options, () => ({
    world: recordedWorld({ ...docker, env: { ...docker.env, XDG_DATA_HOME: "/nowhere", ...env } }),
    examine,
    findLibraries: (world) => findLibraries(world, { folders: [folder] }),
  }));

const verdicts = [
  ["cuda124", "degraded", "DRIVER_OLDER"],
  ["cuda118", "compatible", "OTHER_MAJOR"],
  ["cuda130", "refused", "CUDA_DRIVER_TOO_OLD"],
];
const told = (candidates: readonly { library: string; verdict: string; code: string }[]) =>
  candidates.map(({ library, verdict, code }) => [library, verdict, code]);

async function opened(options: CudaOptions = {}, env = {}): Promise<string> {
  const device = await provider(options, env).open();
  await device.close();
  return device.tier;
}

it("is seen for what it is: the image's version plays no part, and that is said", async () => {
  const { available, versions, candidates, sources } = await provider().detect();
  expect(available).toBe(true);
  expect(versions).toMatchObject({ driver: "12.2", host: "12.1", container: "12.4" });
  expect(told(candidates)).toEqual(verdicts);
  const image = sources.find(({ ignoredBecause }) => ignoredBecause?.includes("CUDA_VERSION=12.4.1"));
  expect(image?.ignoredBecause).toContain("describes the image, not the driver");
});

it("opens 12.4, which is nearest to the framework, and warns once: of both distances, and of the way out", async () => {
  expect(await opened()).toBe("cuda124");
  const [warning, ...more] = saidAt("warn");
  expect(more).toEqual([]);
  for (const words of [
    "using cuda124",
    "has CUDA 12.1; the library is newer within the same major",
    "The driver has CUDA 12.2, older than the library",
    'HALFBYTE_CUDA_VERSION=118 takes cuda118 instead, as prefer: "driver" would',
  ])
    expect(warning).toContain(words);
  expect(await opened()).toBe("cuda124");
  expect(saidAt("warn")).toHaveLength(1);
});

it.each([
  ["118", "cuda118", "compatible (OTHER_MAJOR)"],
  ["124", "cuda124", "degraded (DRIVER_OLDER)"],
])("with HALFBYTE_CUDA_VERSION=%s it opens %s, and says what the checks say", async (value, tier, verdict) => {
  expect(await opened({}, { HALFBYTE_CUDA_VERSION: value })).toBe(tier);
  const [warning, ...more] = saidAt("warn");
  expect(more).toEqual([]);
  expect(warning).toContain(`HALFBYTE_CUDA_VERSION=${value} forces ${tier}. Without it the verdict is: ${verdict}`);
});

it('with prefer: "driver" it opens 11.8, which the driver covers', async () => {
  expect(await opened({ prefer: "driver" })).toBe("cuda118");
  expect(saidAt("warn").join()).toContain("the library brings its own runtime");
});

it("goes on to 11.8 where the newer library does not pass its probe", async () => {
  folder = install(
    { id: "cuda124", body: await cudaLibrary("cuda124", "absmax[0] += 1;") },
    { id: "cuda118", body: await cudaLibrary("cuda118") },
  );
  expect(await opened()).toBe("cuda118");
  expect(saidAt("warn").join("\n")).toContain("LIBRARY_WRONG_ANSWER");
});
