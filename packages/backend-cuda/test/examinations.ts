/** Eight machines as examine() describes them, and instruments that show them to a diagnosis. */
import type { Reason, Source } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { choose } from "../src/choose.js";
import type { Instruments } from "../src/instruments.js";
import type { Examination, Framework, Gpu, MachineFacts } from "../src/machine-facts.js";
import type { SelectableLibrary } from "../src/selection.js";
import type { World } from "../src/world.js";
import { capabilities, shipped, versionOf } from "./libraries.js";

export interface Scene {
  readonly world: World;
  readonly examination: Examination;
  readonly libraries: readonly SelectableLibrary[];
  /** Why a library of this id fails its probe. */
  readonly fails: Readonly<Record<string, Reason>>;
}

const source = (name: string, value: string | null, more: Partial<Source> = {}): Source => ({
  name,
  value,
  ms: 1,
  ...more,
});
const used = (name: string, value: string, usedFor: string): Source => source(name, value, { usedFor });
const ignored = (name: string, value: string | null, ignoredBecause: string): Source =>
  source(name, value, { ignoredBecause });

const gpu = (name: string, capability: string, memoryBytes: number): Gpu => ({
  id: "GPU-5f0a6a1c-2f70-4a3e-9a55-0d6f6b0c8f11",
  name,
  capability: capabilities(capability)[0]!,
  memoryBytes,
});

const ampere = gpu("NVIDIA RTX A6000", "8.6", 51_527_024_640);

const onnxruntime: Framework = {
  name: "onnxruntime-node",
  version: "1.30.0",
  cuda: { major: 12 },
  toldBy: "/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so",
  loaded: false,
};

interface Changes extends Omit<Partial<MachineFacts>, "system"> {
  readonly kind?: MachineFacts["system"]["kind"];
  readonly arch?: string;
  readonly libc?: MachineFacts["system"]["libc"];
}

const factsOf = ({
  kind = "bare metal",
  arch = "x64",
  libc = { kind: "glibc", version: "2.36" },
  ...changes
}: Changes): MachineFacts => ({
  system: { platform: "linux", arch, libc, kind, node: "20.20.0" },
  driver: reasonOf("CUDA_NO_DRIVER", "libcuda.so.1 was not found."),
  frameworks: [],
  toolkits: [],
  runtimes: [],
  ...changes,
});

export const worldWith = (changes: Partial<World> = {}): World => ({
  platform: "linux",
  arch: "x64",
  node: "20.20.0",
  env: {},
  libc: { kind: "glibc", version: "2.36" },
  application: "/app",
  readText: absent,
  readBytes: absent,
  stamp: absent,
  list: absent,
  realPath: absent,
  run: absent,
  openLibrary: () => {
    throw new Error("not found");
  },
  loadedLibraries: async () => [],
  listDevices: absent,
  ...changes,
});

const absent = async (path: unknown): Promise<never> => {
  throw new Error(`ENOENT: ${path}`);
};

const release = (id: string) => ({
  readText: async (path: string) => (path === "/etc/os-release" ? `NAME="Some Linux"\nID=${id}\n` : absent(path)),
});

const scene = (
  sources: readonly Source[],
  changes: Changes,
  world: Partial<World> = {},
  fails: Scene["fails"] = {},
): Scene => ({
  world: worldWith(world),
  examination: { sources, facts: factsOf(changes) },
  libraries: shipped,
  fails,
});

export const scenes = {
  "bare metal": scene(
    [used("libcuda", "12.4", "the driver's CUDA version"), ignored("nvidia-smi", "550.54.14", "libcuda told it")],
    {
      driver: versionOf("12.4"),
      kernelDriver: "550.54.14",
      hardware: true,
      gpus: [ampere],
      host: { framework: "onnxruntime-node", major: 12 },
      frameworks: [onnxruntime],
      toolkits: [{ path: "/usr/local/cuda-12.4", version: versionOf("12.4") }],
    },
    release("ubuntu"),
  ),
  docker: scene(
    [
      used("libcuda", "12.2", "the driver's CUDA version"),
      ignored("CUDA_VERSION", "12.4.1", "it describes the image, not the driver"),
    ],
    {
      kind: "container",
      driver: versionOf("12.2"),
      kernelDriver: "535.54.03",
      hardware: true,
      gpus: [ampere],
      containerCuda: versionOf("12.4"),
      host: { framework: "framework", major: 12, minor: 1 },
      frameworks: [
        {
          name: "framework",
          version: "2.1.0",
          cuda: { major: 12, minor: 1 },
          toldBy: "/app/framework/libcudart.so.12.1.105",
          loaded: true,
        },
      ],
      runtimes: [
        { path: "/app/framework/libcudart.so.12.1.105", version: versionOf("12.1"), loaded: true },
        { path: "/usr/local/cuda-12.4/lib64/libcudart.so.12.4.127", version: versionOf("12.4"), loaded: false },
      ],
    },
    { ...release("ubuntu"), env: { CUDA_VERSION: "12.4.1", NVIDIA_VISIBLE_DEVICES: "all" } },
  ),
  WSL2: scene(
    [
      used("libcuda", "12.8", "the driver's CUDA version"),
      ignored("/proc/driver/nvidia/version", null, "WSL2 has none"),
    ],
    {
      kind: "wsl2",
      driver: versionOf("12.8"),
      hardware: true,
      gpus: [gpu("NVIDIA GeForce RTX 5090", "12.0", 34_190_917_632)],
    },
    release("ubuntu"),
  ),
  Jetson: scene(
    [
      used("libcuda", "11.4", "the driver's CUDA version"),
      used("/etc/nv_tegra_release", "R35 (JetPack 5)", "the kind of machine"),
    ],
    {
      kind: "jetson",
      arch: "arm64",
      driver: versionOf("11.4"),
      hardware: true,
      gpus: [gpu("Orin", "8.7", 32_000_000_000)],
      libc: { kind: "glibc", version: "2.31" },
    },
    { ...release("ubuntu"), arch: "arm64" },
  ),
  "no GPU": scene(
    [source("libcuda", null, { error: "libcuda.so.1: cannot open shared object file" })],
    { hardware: false },
    release("debian"),
  ),
  "old driver": scene(
    [used("libcuda", "10.2", "the driver's CUDA version")],
    {
      driver: versionOf("10.2"),
      kernelDriver: "440.33.01",
      hardware: true,
      gpus: [gpu("Tesla V100-SXM2-16GB", "7.0", 16_914_055_168)],
    },
    release("ubuntu"),
  ),
  "broken mix": scene(
    [
      used("libcuda", "12.2", "the driver's CUDA version"),
      source("device list", null, { error: "cuInit: CUDA error 803" }),
    ],
    {
      kind: "container",
      driver: reasonOf(
        "CUDA_DRIVER_MISMATCH",
        "cuInit fails with 803: libcuda is of 535.54.03, the kernel driver of 550.54.14.",
      ),
      kernelDriver: "550.54.14",
      hardware: true,
      containerCuda: versionOf("12.2"),
      runtimes: [
        { path: "/usr/lib/x86_64-linux-gnu/libcudart.so.11.0", version: { major: 11 }, loaded: false },
        { path: "/usr/local/cuda-12.2/lib64/libcudart.so.12.2.140", version: versionOf("12.2"), loaded: false },
      ],
    },
    { ...release("ubuntu"), env: { LD_LIBRARY_PATH: "/usr/local/cuda/compat:/usr/local/nvidia/lib64" } },
  ),
  "framework only": scene(
    [source("libcuda", null, { error: "libcuda.so.1: cannot open shared object file" })],
    { hardware: false, host: { framework: "onnxruntime-node", major: 12 }, frameworks: [onnxruntime] },
    release("debian"),
  ),
} as const satisfies Record<string, Scene>;

export const instrumentsOf = ({ examination, libraries, fails }: Scene): Instruments => ({
  examine: async () => examination,
  findLibraries: async () => libraries,
  choose,
  probeLibrary: async ({ path }) => Object.entries(fails).find(([id]) => path.includes(`_${id}.`))?.[1],
});
