/** Machines for the tests of the provider: facts as an examination would give them, and nothing of the machine the test runs on. */
import type { Reason } from "@halfbyte/core";
import { parseCapability } from "../src/capability.js";
import { findLibraries } from "../src/find-libraries.js";
import type { Examination, MachineFacts } from "../src/machine-facts.js";
import type { Surroundings } from "../src/provider.js";
import type { World } from "../src/world.js";
import { host, linux, versionOf } from "./libraries.js";

export interface MachineWords {
  readonly driver: string | Reason;
  readonly host?: string;
  /** Capabilities; null: the list of GPUs could not be had. */
  readonly gpus?: readonly string[] | null;
  readonly container?: string;
  readonly hardware?: boolean;
}

export function factsOf({ driver, host: asked, gpus = ["8.6"], container, hardware }: MachineWords): MachineFacts {
  return {
    system: { ...linux, kind: "bare metal", node: process.versions.node },
    driver: typeof driver === "string" ? versionOf(driver) : driver,
    kernelDriver: "535.54.03",
    ...(asked !== undefined && { host: host(asked, "onnxruntime-node") }),
    ...(gpus && { gpus: gpus.map(gpuOf) }),
    ...(container !== undefined && { containerCuda: versionOf(container) }),
    ...(hardware !== undefined && { hardware }),
    frameworks: [],
    toolkits: [],
    runtimes: [],
  };
}

const gpuOf = (capability: string, number: number) => ({
  id: `GPU-${number}`,
  name: "NVIDIA Test",
  capability: parseCapability(capability)!,
  memoryBytes: 2 ** 34,
});

export const examinationOf = (words: MachineWords): Examination => ({
  facts: factsOf(words),
  sources: [
    { name: "libcuda", value: "12.2", usedFor: "the driver's CUDA version", ms: 1 },
    { name: "container", value: "12.4", ignoredBecause: "it describes the image, not the driver", ms: 0 },
  ],
});

const unasked = () => {
  throw new Error("The test's world was asked something.");
};

export const worldOf = (env: World["env"], loaded: readonly string[] = []): World => ({
  platform: "linux",
  arch: "x64",
  node: process.versions.node,
  env: { XDG_DATA_HOME: "/nowhere", ...env },
  libc: linux.libc,
  application: "/nowhere",
  readText: unasked,
  readBytes: unasked,
  stamp: unasked,
  list: unasked,
  realPath: unasked,
  run: unasked,
  openLibrary: unasked,
  listDevices: unasked,
  loadedLibraries: async () => loaded,
});

/** Libraries of these folders alone. */
export const surroundingsOf =
  (words: MachineWords, folders: readonly string[], env: World["env"] = {}) =>
  (): Surroundings => ({
    world: worldOf(env),
    examine: async () => examinationOf(words),
    findLibraries: (world) => findLibraries(world, { folders }),
  });
