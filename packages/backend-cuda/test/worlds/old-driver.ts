/** A Tesla P40 with driver R440, which has CUDA 10.2; its nvidia-smi does not know compute capabilities. */
import { cudaList, ldconfig, nvmlList, pciFiles, procDriver, smiPrograms, smiQuery, smiQueryOld } from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const driver = "440.33.01";
const libraries = "/usr/lib/x86_64-linux-gnu";
const uuid = "GPU-2c1d0e9f-8b7a-6c5d-4e3f-2a1b0c9d8e7f";
const gpu = { name: "Tesla P40", capability: [6, 1], memoryBytes: 24_032_378_880, id: uuid } as const;

export const oldDriver: Recording = {
  libc: { kind: "glibc", version: "2.27" },
  files: {
    "/proc/version": "Linux version 4.15.0-213-generic (buildd@lcy02-amd64-079) (gcc version 7.5.0) #224-Ubuntu SMP\n",
    "/sys/module/nvidia/version": `${driver}\n`,
    "/proc/driver/nvidia/version": procDriver(driver),
    ...pciFiles({ "0000:3b:00.0": { vendor: "0x10de", class: "0x030200" } }),
    "/usr/local/cuda-10.2/version.txt": "CUDA Version 10.2.89\n",
    "/usr/local/cuda-10.2/lib64/libcudart.so.10.2.89": "",
  },
  links: {
    "/usr/local/cuda": "/usr/local/cuda-10.2",
    "/usr/local/cuda-10.2/lib64/libcudart.so.10.2": "/usr/local/cuda-10.2/lib64/libcudart.so.10.2.89",
  },
  env: { PATH: "/usr/bin" },
  libraries: {
    "libcuda.so.1": libcudaOf(`${libraries}/libcuda.so.${driver}`, 10020),
    "libnvidia-ml.so.1": { path: `${libraries}/libnvidia-ml.so.${driver}` },
  },
  lists: { cuda: cudaList([gpu]), nvml: nvmlList(driver, 10020, [gpu]) },
  programs: {
    ...smiPrograms(driver, "10.2", []),
    [`nvidia-smi ${smiQuery}`]: { code: 2, stdout: 'Field "compute_cap" is not a valid field to query.\n\n' },
    [`nvidia-smi ${smiQueryOld}`]: { stdout: `${driver}, 22919, ${uuid}, ${gpu.name}\n` },
    ...ldconfig([`${libraries}/libcuda.so.1`, "/usr/local/cuda/lib64/libcudart.so.10.2"]),
  },
};
