/** 64-bit Arm on another machine: Debian's cross compiler and qemu's user mode. */
import { isThere } from "./programs.js";

/** The libraries of that machine, where Debian's packages put them. */
export const sysroot = "/usr/aarch64-linux-gnu";

const packageOf = {
  cmake: "cmake",
  "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
  "qemu-aarch64": "qemu-user",
} as const;

/** Why nothing can be compiled for it and run here, if so. */
export function reasonWithoutAarch64(): string | undefined {
  const missing = (Object.keys(packageOf) as (keyof typeof packageOf)[]).filter((program) => !isThere(program));
  if (missing.length === 0) return undefined;
  return `no ${missing.join(", ")} found: install ${missing.map((program) => packageOf[program]).join(", ")}`;
}
