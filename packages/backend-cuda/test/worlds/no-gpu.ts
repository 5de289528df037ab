/** A server without NVIDIA hardware, and nothing of CUDA on it. */
import { ldconfig, pciFiles } from "./pieces.js";
import type { Recording } from "./recorded-world.js";

export const noGpu: Recording = {
  files: {
    "/proc/version":
      "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 12.2.0) #1 SMP Debian 6.1.76-1\n",
    ...pciFiles({
      "0000:00:00.0": { vendor: "0x8086", class: "0x060000" },
      "0000:00:02.0": { vendor: "0x8086", class: "0x030000" },
    }),
  },
  env: { PATH: "/usr/bin" },
  libc: { kind: "glibc", version: "2.36" },
  programs: ldconfig([]),
};
