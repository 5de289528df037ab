/** Ubuntu 22.04 with an RTX 3090 and driver R535 (CUDA 12.2); the toolkit is 12.1, onnxruntime-node wants CUDA 12. */
import {
  cardOnBus,
  cudaList,
  ldconfig,
  nvmlList,
  onnxruntimeFiles,
  pciFiles,
  procDriver,
  smiPrograms,
} from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const driver = "535.54.03";
const libraries = "/usr/lib/x86_64-linux-gnu";
const uuid = "GPU-0b5b8a3c-7f6d-4a6c-9d39-0f8a2d3c4e5f";
const gpu = { name: "NVIDIA GeForce RTX 3090", capability: [8, 6], memoryBytes: 25_438_126_080, id: uuid } as const;

export const bareMetal: Recording = {
  files: {
    "/proc/version":
      "Linux version 6.2.0-26-generic (buildd@bos03-amd64-042) (x86_64-linux-gnu-gcc-11 11.3.0) #26~22.04.1-Ubuntu\n",
    "/sys/module/nvidia/version": `${driver}\n`,
    "/proc/driver/nvidia/version": procDriver(driver),
    ...pciFiles(cardOnBus),
    "/usr/local/cuda-12.1/version.json": JSON.stringify({ cuda: { name: "CUDA SDK", version: "12.1.1" } }, null, 3),
    "/usr/local/cuda-12.1/bin/nvcc": "",
    "/usr/local/cuda-12.1/targets/x86_64-linux/lib/libcudart.so.12.1.105": "",
    ...onnxruntimeFiles(),
  },
  links: {
    "/usr/local/cuda": "/usr/local/cuda-12.1",
    "/usr/local/cuda-12.1/lib64": "/usr/local/cuda-12.1/targets/x86_64-linux/lib",
    "/usr/local/cuda-12.1/targets/x86_64-linux/lib/libcudart.so.12":
      "/usr/local/cuda-12.1/targets/x86_64-linux/lib/libcudart.so.12.1.105",
  },
  env: { PATH: "/usr/local/cuda/bin:/usr/bin" },
  libraries: {
    "libcuda.so.1": libcudaOf(`${libraries}/libcuda.so.${driver}`, 12020),
    "libnvidia-ml.so.1": { path: `${libraries}/libnvidia-ml.so.${driver}` },
  },
  lists: { cuda: cudaList([gpu]), nvml: nvmlList(driver, 12020, [gpu]) },
  programs: {
    ...smiPrograms(driver, "12.2", [{ name: gpu.name, capability: "8.6", megabytes: 24576, uuid }]),
    ...ldconfig([`${libraries}/libcuda.so.1`, "/usr/local/cuda/targets/x86_64-linux/lib/libcudart.so.12"]),
  },
};
