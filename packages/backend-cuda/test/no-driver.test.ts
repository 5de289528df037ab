/** Where there is no libcuda: the reason and the remedy fit the machine. */
import { describe, expect, it } from "vitest";
import { examine } from "../src/examine.js";
import { cardOnBus, pciFiles, procDriver } from "./worlds/pieces.js";
import { libcudaOf, type Recording, recordedWorld } from "./worlds/recorded-world.js";

const driverOf = async (recording: Recording) => (await examine(recordedWorld(recording))).facts.driver;
const wsl = { "/dev/dxg": "", "/proc/version": "Linux version 5.15.146.1-microsoft-standard-WSL2" };
const tegra = { "/etc/nv_tegra_release": "# R36 (release), REVISION: 3.0, GCID: 1" };
const docker = { "/.dockerenv": "" };

const rows: readonly (readonly [string, Recording, RegExp, RegExp])[] = [
  [
    "no hardware",
    { files: pciFiles({ "0000:00:02.0": { vendor: "0x8086", class: "0x030000" } }) },
    /no NVIDIA GPU/,
    /cpu backend/,
  ],
  [
    "a card without a driver",
    { files: pciFiles(cardOnBus) },
    /0000:01:00\.0.*no NVIDIA driver/,
    /Install the NVIDIA driver/,
  ],
  [
    "only a sound device of NVIDIA's",
    { files: pciFiles({ "0000:01:00.1": { vendor: "0x10de", class: "0x040300" } }) },
    /no NVIDIA GPU/,
    /cpu/,
  ],
  [
    "a kernel module without libraries",
    { files: { ...pciFiles(cardOnBus), "/proc/driver/nvidia/version": procDriver("535.54.03") } },
    /535\.54\.03 is loaded/,
    /libnvidia-compute-535/,
  ],
  ["a container without GPUs", { files: { ...docker, ...pciFiles(cardOnBus) } }, /container/, /--gpus all/],
  [
    "a container on a host without one",
    { files: { ...docker, ...pciFiles({ "0000:00:02.0": { vendor: "0x8086", class: "0x030000" } }) } },
    /no NVIDIA GPU/,
    /cpu backend/,
  ],
  ["a container that was kept out", { files: docker, env: { NVIDIA_VISIBLE_DEVICES: "void" } }, /"void"/, /--gpus all/],
  [
    "a container without compute",
    { files: docker, env: { NVIDIA_VISIBLE_DEVICES: "all", NVIDIA_DRIVER_CAPABILITIES: "utility,video" } },
    /lacks compute/,
    /NVIDIA_DRIVER_CAPABILITIES=compute,utility/,
  ],
  ["WSL2", { files: wsl }, /\/usr\/lib\/wsl\/lib/, /wsl --shutdown/],
  ["a container in WSL2", { files: { ...wsl, ...docker } }, /WSL2/, /--gpus all/],
  ["a Jetson", { arch: "arm64", files: tegra }, /R36\.3/, /nvidia-jetpack/],
  ["a container on a Jetson", { arch: "arm64", files: { ...tegra, ...docker } }, /Jetson/, /--runtime nvidia/],
  ["Windows", { platform: "win32" }, /nvcuda\.dll/, /Windows/],
  ["nothing that tells", {}, /libcuda was not found/, /Install/],
];

describe("without libcuda", () => {
  it.each(rows)("%s", async (_what, recording, message, remedy) => {
    expect(await driverOf(recording)).toMatchObject({
      code: "CUDA_NO_DRIVER",
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    });
  });

  it("that the loader refuses", async () => {
    const world = recordedWorld({});
    const openLibrary = (name: string) => {
      if (name !== "libcuda.so.1") return world.openLibrary(name);
      throw new Error("Failed to load shared library: wrong ELF class: ELFCLASS32");
    };
    const { facts } = await examine({ ...world, openLibrary });
    expect(facts.driver).toMatchObject({ code: "CUDA_NO_DRIVER", message: expect.stringContaining("ELFCLASS32") });
  });

  it("that is no libcuda", async () => {
    const { facts, sources } = await examine(
      recordedWorld({ libraries: { "libcuda.so.1": { path: "/x/libcuda.so.1" } } }),
    );
    expect(facts.driver).toMatchObject({
      code: "CUDA_NO_DRIVER",
      message: expect.stringContaining("cuDriverGetVersion"),
    });
    expect(sources.find(({ name }) => name === "libcuda")!.error).toContain("cuDriverGetVersion");
  });
});

describe("with a libcuda that does not work", () => {
  const withStatus = (failed: { call: string; status: number }, env: Record<string, string> = {}): Recording => ({
    env,
    libraries: { "libcuda.so.1": libcudaOf("/usr/lib/libcuda.so.535.54.03", 12020) },
    lists: { cuda: [{ step: "cuInit" }, { failed }] },
  });

  it("the variables that hide GPUs are named", async () => {
    const recording = withStatus({ call: "cuInit", status: 100 }, { CUDA_VISIBLE_DEVICES: "-1" });
    const { facts } = await examine(recordedWorld(recording), { depth: "full" });
    expect(facts.driver).toMatchObject({
      code: "CUDA_NO_DEVICE",
      message: expect.stringContaining('CUDA_VISIBLE_DEVICES="-1"'),
    });
    expect(facts.gpus).toEqual([]);
  });

  it("a driver for Linux inside WSL2 is blamed", async () => {
    const path = "/usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03";
    const recording: Recording = {
      files: { ...wsl, "/usr/lib/wsl/lib/libcuda.so.1": "" },
      libraries: { "libcuda.so.1": libcudaOf(path, 12020) },
      lists: { cuda: [{ failed: { call: "cuInit", status: 100 } }] },
    };
    const { facts, sources } = await examine(recordedWorld(recording), { depth: "full" });
    expect(facts.driver).toMatchObject({
      code: "CUDA_NO_DEVICE",
      message: expect.stringContaining(path),
      remedy: expect.stringContaining("inside WSL"),
    });
    expect(sources.find(({ name }) => name === "libcuda")!.error).toContain("hides that of WSL2");
  });

  it("a stub is told by its path", async () => {
    const path = "/usr/local/cuda/lib64/stubs/libcuda.so";
    expect(await driverOf({ libraries: { "libcuda.so.1": libcudaOf(path, 0, 34) } })).toMatchObject({
      code: "CUDA_STUB_DRIVER",
      message: expect.stringContaining(path),
    });
  });
});
