/** What is made of eight recorded machines. */
import { describe, expect, it } from "vitest";
import { examine } from "../src/examine.js";
import type { MachineFacts } from "../src/machine-facts.js";
import { formatVersion } from "../src/runtime-version.js";
import { recordedWorld, recordings } from "./worlds/index.js";

/** What a library is chosen by, in one line each. */
function summary({
  driver,
  kernelDriver,
  hardware,
  gpus,
  host,
  containerCuda,
  toolkits,
  runtimes,
  system,
}: MachineFacts) {
  const say = (version: { major: number; minor?: number } | undefined) =>
    version && `${version.major}.${version.minor ?? "x"}`;
  return {
    kind: system.kind,
    driver: "code" in driver ? driver.code : formatVersion(driver),
    kernelDriver,
    hardware,
    gpus: gpus?.map(({ name, capability }) => `${name} ${formatVersion(capability)}`),
    host: host && `${host.framework} ${say(host)}`,
    image: say(containerCuda),
    toolkits: toolkits.map(({ version }) => say(version)),
    runtimes: runtimes.map(({ version, loaded }) => `${say(version)}${loaded ? " loaded" : ""}`),
  };
}

const expected: Record<string, { quick: object; full: object }> = {
  "bare metal": {
    quick: {
      kind: "bare metal",
      driver: "12.2",
      kernelDriver: "535.54.03",
      hardware: true,
      host: "onnxruntime-node 12.x",
      toolkits: [],
      runtimes: [],
    },
    full: { gpus: ["NVIDIA GeForce RTX 3090 8.6"], toolkits: ["12.1"], runtimes: ["12.1"] },
  },
  docker: {
    quick: {
      kind: "container",
      driver: "12.2",
      kernelDriver: "535.54.03",
      hardware: true,
      host: "onnxruntime-node 12.1",
      image: "12.4",
      toolkits: [],
      runtimes: ["12.1 loaded"],
    },
    full: { gpus: ["NVIDIA A10 8.6"], toolkits: ["12.4"], runtimes: ["12.1 loaded", "12.4"] },
  },
  WSL2: {
    quick: {
      kind: "wsl2",
      driver: "12.4",
      kernelDriver: undefined,
      hardware: undefined,
      host: "@tensorflow/tfjs-node-gpu 11.2",
      toolkits: [],
      runtimes: [],
    },
    full: { gpus: ["NVIDIA GeForce RTX 4070 8.9"], hardware: true, kernelDriver: "551.61" },
  },
  Jetson: {
    quick: {
      kind: "jetson",
      driver: "12.2",
      kernelDriver: "540.3.0",
      hardware: true,
      host: undefined,
      toolkits: [],
      runtimes: [],
    },
    full: { gpus: ["Orin 8.7"], toolkits: ["12.2"], runtimes: ["12.2"] },
  },
  "no GPU": {
    quick: {
      kind: "bare metal",
      driver: "CUDA_NO_DRIVER",
      kernelDriver: undefined,
      hardware: false,
      host: undefined,
      toolkits: [],
      runtimes: [],
    },
    full: { gpus: undefined },
  },
  "old driver": {
    quick: {
      kind: "bare metal",
      driver: "10.2",
      kernelDriver: "440.33.01",
      hardware: true,
      host: undefined,
      toolkits: [],
      runtimes: [],
    },
    full: { gpus: ["Tesla P40 6.1"], toolkits: ["10.2"], runtimes: ["10.2"] },
  },
  "broken mix": {
    // Only starting the driver shows it.
    quick: {
      kind: "bare metal",
      driver: "12.4",
      kernelDriver: "535.54.03",
      hardware: true,
      host: undefined,
      toolkits: [],
      runtimes: [],
    },
    full: {
      driver: "CUDA_DRIVER_MISMATCH",
      gpus: [],
      toolkits: ["11.8", "12.4"],
      runtimes: ["11.8", "12.4", "11.5"],
    },
  },
  "framework only": {
    quick: {
      kind: "bare metal",
      driver: "CUDA_NO_DRIVER",
      kernelDriver: undefined,
      hardware: false,
      host: "@tensorflow/tfjs-node-gpu 11.2",
      toolkits: [],
      runtimes: [],
    },
    full: {},
  },
};

describe.each(Object.entries(recordings))("%s", (name, recording) => {
  it("is known by what can be asked quickly", async () => {
    const { facts } = await examine(recordedWorld(recording));
    expect(summary(facts)).toEqual({ gpus: undefined, image: undefined, ...expected[name]!.quick });
  });

  it("is known better by everything", async () => {
    const { facts } = await examine(recordedWorld(recording), { depth: "full" });
    expect(summary(facts)).toEqual({
      gpus: undefined,
      image: undefined,
      ...expected[name]!.quick,
      ...expected[name]!.full,
    });
  });

  it("lets every source say what it is for, or why not", async () => {
    const { sources } = await examine(recordedWorld(recording), { depth: "full" });
    expect(sources).toHaveLength(14);
    for (const { usedFor, ignoredBecause, ms } of sources) {
      expect([usedFor, ignoredBecause].filter((role) => role !== undefined)).toHaveLength(1);
      expect(ms).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("what the sources say of each other", () => {
  const sourcesOf = async (name: string) =>
    Object.fromEntries(
      (await examine(recordedWorld(recordings[name]!), { depth: "full" })).sources.map((source) => [
        source.name,
        source,
      ]),
    );

  it("tells that an image's CUDA is not the driver's", async () => {
    const { "container variables": variables, libcuda } = await sourcesOf("docker");
    expect(variables!.ignoredBecause).toBe("CUDA_VERSION=12.4.1 describes the image, not the driver");
    expect(libcuda).toMatchObject({ value: expect.stringContaining("12.2"), usedFor: expect.any(String) });
  });

  it("names both versions of a mismatch", async () => {
    const { facts } = await examine(recordedWorld(recordings["broken mix"]!), { depth: "full" });
    expect(facts.driver).toMatchObject({
      code: "CUDA_DRIVER_MISMATCH",
      message: expect.stringMatching(/803.*libcuda\.so\.550\.54\.14.*535\.54\.03/),
    });
    const { NVML, "nvidia-smi": smi, "library search path": path } = await sourcesOf("broken mix");
    expect(NVML!.error).toContain("18");
    expect(smi!.error).toContain("version mismatch");
    expect(path!.value).toContain("stubs/libcuda.so");
  });

  it("prefers the framework that the application itself names", async () => {
    const { "onnxruntime-node": other } = await sourcesOf("framework only");
    expect(other).toMatchObject({
      value: expect.stringContaining("CUDA 12.x"),
      ignoredBecause: "@tensorflow/tfjs-node-gpu is what counts",
    });
  });
});
