/** A Jetson AGX Orin with JetPack 6 (Jetson Linux R36.3, CUDA 12.2): no NVML, no PCI device, an integrated GPU. */
import { cudaList, procDriverOpen } from "./pieces.js";
import { libcudaOf, type Recording } from "./recorded-world.js";

const driver = "540.3.0";
const libraries = "/usr/lib/aarch64-linux-gnu";
const gpu = {
  name: "Orin",
  capability: [8, 7],
  memoryBytes: 65_909_485_568,
  id: "GPU-6e3b2a1c-0a1b-5c2d-8e3f-9a4b5c6d7e8f",
} as const;

export const jetson: Recording = {
  arch: "arm64",
  files: {
    "/etc/nv_tegra_release":
      "# R36 (release), REVISION: 3.0, GCID: 36191598, BOARD: generic, EABI: aarch64, DATE: Mon May  6 17:34:21 UTC 2024\n" +
      "# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n",
    "/proc/version":
      "Linux version 5.15.136-tegra (buildbrain@mobile-u64-6422-d7000) (aarch64-buildroot-linux-gnu-gcc 11.3.0)\n",
    "/sys/module/nvidia/version": `${driver}\n`,
    "/proc/driver/nvidia/version": procDriverOpen(driver, "aarch64"),
    "/usr/local/cuda-12.2/version.json": JSON.stringify({ cuda: { name: "CUDA SDK", version: "12.2.140" } }),
    "/usr/local/cuda-12.2/targets/aarch64-linux/lib/libcudart.so.12.2.140": "",
  },
  links: {
    "/usr/local/cuda": "/usr/local/cuda-12.2",
    "/usr/local/cuda-12.2/targets/aarch64-linux/lib/libcudart.so.12":
      "/usr/local/cuda-12.2/targets/aarch64-linux/lib/libcudart.so.12.2.140",
  },
  env: { PATH: "/usr/local/cuda/bin:/usr/bin" },
  libraries: { "libcuda.so.1": libcudaOf(`${libraries}/nvidia/libcuda.so.1.1`, 12020) },
  lists: { cuda: cudaList([gpu]) },
  programs: {
    "/sbin/ldconfig -p": {
      stdout:
        "2 libs found in cache `/etc/ld.so.cache'\n" +
        `\tlibcuda.so.1 (libc6,AArch64) => ${libraries}/nvidia/libcuda.so.1\n` +
        "\tlibcudart.so.12 (libc6,AArch64) => /usr/local/cuda/targets/aarch64-linux/lib/libcudart.so.12\n",
    },
  },
};
