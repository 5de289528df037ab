/**
 * The founding scenario: an image of CUDA 12.4 on a host whose driver R535 has CUDA 12.2, with a framework in the process that has
 * loaded its own runtime, 12.1.
 */
import {
  cardOnBus,
  cudaList,
  ldconfig,
  nvmlList,
  onnxruntimeFiles,
  pciFiles,
  procDriverOpen,
  smiPrograms,
} from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const driver = "535.54.03";
const libraries = "/usr/lib/x86_64-linux-gnu";
const uuid = "GPU-51b2a3f0-9d55-1f0e-3f76-1d0a7c4e9b21";
const gpu = { name: "NVIDIA A10", capability: [8, 6], memoryBytes: 23_609_475_072, id: uuid } as const;
const runtime = "/srv/app/cuda/lib/libcudart.so.12.1.105";
const provider = "/srv/app/node_modules/onnxruntime-node/bin/napi-v3/linux/x64/libonnxruntime_providers_cuda.so";

export const docker: Recording = {
  env: {
    CUDA_VERSION: "12.4.1",
    NVIDIA_REQUIRE_CUDA: "cuda>=12.4 brand=tesla,driver>=470,driver<471",
    NVIDIA_VISIBLE_DEVICES: "all",
    NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
    LD_LIBRARY_PATH: "/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
    PATH: "/usr/local/cuda/bin:/usr/local/bin:/usr/bin",
  },
  files: {
    "/.dockerenv": "",
    "/proc/version": "Linux version 5.15.0-1034-aws (buildd@lcy02-amd64-055) (gcc 9.4.0) #38-Ubuntu SMP\n",
    "/sys/module/nvidia/version": `${driver}\n`,
    "/proc/driver/nvidia/version": procDriverOpen(driver),
    ...pciFiles(cardOnBus),
    "/usr/local/cuda-12.4/version.json": JSON.stringify({ cuda: { name: "CUDA SDK", version: "12.4.1" } }),
    "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127": "",
    [runtime]: "",
    ...onnxruntimeFiles(),
  },
  links: {
    "/usr/local/cuda": "/usr/local/cuda-12.4",
    "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12":
      "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127",
  },
  loaded: [
    "/usr/local/bin/node",
    provider,
    runtime,
    "/srv/app/cuda/lib/libcublasLt.so.12",
    `${libraries}/libcuda.so.${driver}`,
  ],
  libraries: {
    "libcuda.so.1": libcudaOf(`${libraries}/libcuda.so.${driver}`, 12020),
    "libnvidia-ml.so.1": { path: `${libraries}/libnvidia-ml.so.${driver}` },
  },
  lists: { cuda: cudaList([gpu]), nvml: nvmlList(driver, 12020, [gpu]) },
  programs: {
    ...smiPrograms(driver, "12.2", [{ name: gpu.name, capability: "8.6", megabytes: 23028, uuid }]),
    ...ldconfig([`${libraries}/libcuda.so.1`, "/usr/local/cuda/targets/x86_64-linux/lib/libcudart.so.12"]),
  },
};
