/** What several recorded machines have in common: the files of frameworks, what nvidia-smi prints, what a PCI bus shows. */
import { elfFile } from "./elf-file.js";
import type { Recording } from "./recorded-world.js";

/** onnxruntime-node with its CUDA provider, as its installation puts it there. */
export const onnxruntimeFiles = (
  modules = "/srv/app/node_modules",
  version = "1.20.1",
): Record<string, string | Uint8Array> => {
  const folder = `${modules}/onnxruntime-node`;
  const binaries = `${folder}/bin/napi-v3/linux/x64`;
  return {
    [`${folder}/package.json`]: JSON.stringify({ name: "onnxruntime-node", version, binary: { napi_versions: [3] } }),
    [`${binaries}/libonnxruntime.so.1`]: elfFile({
      needed: ["libdl.so.2", "libc.so.6"],
      soname: "libonnxruntime.so.1",
    }),
    [`${binaries}/libonnxruntime_providers_cuda.so`]: elfFile({
      needed: [
        "libcublasLt.so.12",
        "libcublas.so.12",
        "libcudnn.so.9",
        "libcurand.so.10",
        "libcufft.so.11",
        "libcudart.so.12",
        "libstdc++.so.6",
        "libc.so.6",
      ],
      soname: "libonnxruntime_providers_cuda.so",
    }),
  };
};

/** @tensorflow/tfjs-node-gpu 4.22, which brings TensorFlow 2.9.1. */
export const tensorflowFiles = (modules = "/srv/app/node_modules"): Record<string, string | Uint8Array> => {
  const folder = `${modules}/@tensorflow/tfjs-node-gpu`;
  return {
    [`${folder}/package.json`]: JSON.stringify({ name: "@tensorflow/tfjs-node-gpu", version: "4.22.0" }),
    [`${folder}/deps/lib/libtensorflow.so.2.9.1`]: elfFile({ needed: ["libtensorflow_framework.so.2", "libc.so.6"] }),
    [`${folder}/deps/lib/libtensorflow_framework.so.2.9.1`]: Buffer.concat([
      elfFile({ needed: ["libdl.so.2", "libc.so.6"] }),
      Buffer.from("\0Could not load dynamic library\0libcudart.so.11.0\0"),
    ]),
  };
};

interface PciDevice {
  readonly vendor: string;
  readonly class: string;
}

export const pciFiles = (devices: Readonly<Record<string, PciDevice>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(devices).flatMap(([address, device]) => [
      [`/sys/bus/pci/devices/${address}/vendor`, `${device.vendor}\n`],
      [`/sys/bus/pci/devices/${address}/class`, `${device.class}\n`],
    ]),
  );

/** A graphics card, its sound part, and the chipset around it. */
export const cardOnBus = {
  "0000:00:00.0": { vendor: "0x8086", class: "0x060000" },
  "0000:00:02.0": { vendor: "0x8086", class: "0x030000" },
  "0000:01:00.0": { vendor: "0x10de", class: "0x030000" },
  "0000:01:00.1": { vendor: "0x10de", class: "0x040300" },
} as const;

export const procDriver = (version: string): string =>
  `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Tue Jun  6 22:20:39 UTC 2023\n` +
  "GCC version:  gcc version 11.3.0 (Ubuntu 11.3.0-1ubuntu1~22.04.1)\n";

export const procDriverOpen = (version: string, arch = "x86_64"): string =>
  `NVRM version: NVIDIA UNIX Open Kernel Module for ${arch}  ${version}  Release Build  (builder@host)  Thu Feb 22 01:44:30 UTC 2024\n` +
  "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n";

export interface SmiGpuRow {
  readonly name: string;
  readonly capability: string;
  readonly megabytes: number;
  readonly uuid: string;
}

export const smiQuery = "--query-gpu=driver_version,compute_cap,memory.total,uuid,name --format=csv,noheader,nounits";
export const smiQueryOld = "--query-gpu=driver_version,memory.total,uuid,name --format=csv,noheader,nounits";

/** The head of the program's table, and its answer to our question. */
export function smiPrograms(
  driver: string,
  cuda: string,
  gpus: readonly SmiGpuRow[],
  program = "nvidia-smi",
): NonNullable<Recording["programs"]> {
  const line = "+---------------------------------------------------------------------------------------+";
  const header = `| NVIDIA-SMI ${driver}              Driver Version: ${driver}    CUDA Version: ${cuda}     |`;
  const rows = gpus.map(({ name, capability, megabytes, uuid }) =>
    [driver, capability, megabytes, uuid, name].join(", "),
  );
  return {
    [program]: { stdout: `Tue Mar 12 10:11:12 2024       \n${line}\n${header}\n${line}\n` },
    [`${program} ${smiQuery}`]: { stdout: `${rows.join("\n")}\n` },
  };
}

export interface ListedGpu {
  readonly name: string;
  readonly capability: readonly [major: number, minor: number];
  readonly memoryBytes: number;
  readonly id: string;
}

const linesOf = (gpus: readonly ListedGpu[]): object[] =>
  gpus.map(({ name, capability: [major, minor], memoryBytes, id }, index) => ({
    device: { index, major, minor, name, memoryBytes, id },
  }));

export const cudaList = (gpus: readonly ListedGpu[]): object[] => [
  { step: "cuInit" },
  { step: "cuDeviceGetCount" },
  { count: gpus.length },
  ...linesOf(gpus),
];

export const nvmlList = (driver: string, cuda: number, gpus: readonly ListedGpu[]): object[] => [
  { step: "nvmlInit_v2" },
  { versions: { driver, cuda } },
  { count: gpus.length },
  ...linesOf(gpus),
];

/** The cache of the loader, as ldconfig prints it. */
export const ldconfig = (paths: readonly string[]): NonNullable<Recording["programs"]> => ({
  "/sbin/ldconfig -p": {
    stdout: [
      `${paths.length + 1} libs found in cache \`/etc/ld.so.cache'`,
      ...paths.map((path) => `\t${path.split("/").at(-1)} (libc6,x86-64) => ${path}`),
      "\tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => /lib/x86_64-linux-gnu/libc.so.6",
      "Cache generated by: ldconfig (Ubuntu GLIBC 2.35-0ubuntu3.1) stable release version 2.35",
      "",
    ].join("\n"),
  },
});
