/** Windows 11 with driver 551.61 (CUDA 12.4) and an RTX 4070 in WSL2; the application uses @tensorflow/tfjs-node-gpu. */
import { cudaList, ldconfig, nvmlList, smiPrograms, tensorflowFiles } from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const driver = "551.61";
const folder = "/usr/lib/wsl/lib";
const uuid = "GPU-d3a2d9f3-2a44-7c2a-4b8e-5a1a0b7c8d9e";
const gpu = { name: "NVIDIA GeForce RTX 4070", capability: [8, 9], memoryBytes: 12_878_086_144, id: uuid } as const;

export const wsl2: Recording = {
  files: {
    "/dev/dxg": "",
    [`${folder}/libcuda.so.1`]: "",
    "/proc/version": "Linux version 5.15.146.1-microsoft-standard-WSL2 (root@65c757a075e2) (gcc 11.2.0) #1 SMP\n",
    ...tensorflowFiles(),
  },
  env: { PATH: "/usr/local/bin:/usr/bin:/mnt/c/Windows/System32" },
  libraries: {
    "libcuda.so.1": libcudaOf(`${folder}/libcuda.so.1`, 12040),
    [`${folder}/libcuda.so.1`]: libcudaOf(`${folder}/libcuda.so.1`, 12040),
    [`${folder}/libnvidia-ml.so.1`]: { path: `${folder}/libnvidia-ml.so.1` },
  },
  lists: { cuda: cudaList([gpu]), nvml: nvmlList(driver, 12040, [gpu]) },
  programs: {
    ...smiPrograms(
      driver,
      "12.4",
      [{ name: gpu.name, capability: "8.9", megabytes: 12282, uuid }],
      `${folder}/nvidia-smi`,
    ),
    ...ldconfig([`${folder}/libcuda.so.1`, `${folder}/libcuda.so`]),
  },
};
