/**
 * After an update without a restart: libcuda is R550, the kernel module still R535, so that CUDA answers 803 and NVML 18. Besides,
 * LD_LIBRARY_PATH holds two toolkits and the folder of stubs.
 */
import { cardOnBus, ldconfig, pciFiles, procDriver, smiQuery } from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const kernel = "535.54.03";
const installed = "550.54.14";
const libraries = "/usr/lib/x86_64-linux-gnu";
const mismatch = {
  code: 18,
  stdout: "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54\n",
};

export const brokenMix: Recording = {
  env: {
    CUDA_HOME: "/usr/local/cuda-11.8",
    LD_LIBRARY_PATH: "/usr/local/cuda-11.8/lib64:/usr/local/cuda-12.4/lib64:/usr/local/cuda-12.4/lib64/stubs:relative",
    PATH: "/usr/local/cuda-11.8/bin:/usr/bin",
  },
  files: {
    "/proc/version": "Linux version 6.5.0-21-generic (buildd@lcy02-amd64-091) (gcc-12 12.3.0) #21~22.04.1-Ubuntu SMP\n",
    "/sys/module/nvidia/version": `${kernel}\n`,
    "/proc/driver/nvidia/version": procDriver(kernel),
    ...pciFiles(cardOnBus),
    "/usr/local/cuda-11.8/version.json": JSON.stringify({ cuda: { name: "CUDA SDK", version: "11.8.20220929" } }),
    "/usr/local/cuda-11.8/lib64/libcudart.so.11.8.89": "",
    "/usr/local/cuda-12.4/version.json": JSON.stringify({ cuda: { name: "CUDA SDK", version: "12.4.0" } }),
    "/usr/local/cuda-12.4/lib64/libcudart.so.12.4.99": "",
    "/usr/local/cuda-12.4/lib64/stubs/libcuda.so": "",
    [`${libraries}/libcudart.so.11.5.117`]: "",
  },
  links: {
    "/usr/local/cuda-11.8/lib64/libcudart.so.11.0": "/usr/local/cuda-11.8/lib64/libcudart.so.11.8.89",
    "/usr/local/cuda-12.4/lib64/libcudart.so.12": "/usr/local/cuda-12.4/lib64/libcudart.so.12.4.99",
    [`${libraries}/libcudart.so.11.0`]: `${libraries}/libcudart.so.11.5.117`,
  },
  libraries: {
    "libcuda.so.1": libcudaOf(`${libraries}/libcuda.so.${installed}`, 12040),
    "libnvidia-ml.so.1": { path: `${libraries}/libnvidia-ml.so.${installed}` },
  },
  lists: {
    cuda: [{ step: "cuInit" }, { failed: { call: "cuInit", status: 803 } }],
    nvml: [{ step: "nvmlInit_v2" }, { failed: { call: "nvmlInit_v2", status: 18 } }],
  },
  programs: {
    "nvidia-smi": mismatch,
    [`nvidia-smi ${smiQuery}`]: mismatch,
    ...ldconfig([`${libraries}/libcuda.so.1`, `${libraries}/libcudart.so.11.0`]),
  },
};
