/** Whether a library is made for this system at all: platform, processor, C library. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { compareDrivers } from "./driver-floor.js";

export interface SystemFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly libc: { readonly kind: "glibc" | "musl" | "none"; readonly version?: string };
}

interface MadeFor {
  readonly platform: string;
  readonly arch: string;
  readonly glibc?: string;
}

export function systemRefusal({ platform, arch, glibc }: MadeFor, system: SystemFacts): Reason | undefined {
  if (platform !== system.platform || arch !== system.arch)
    return reasonOf(
      "LIBRARY_WRONG_ARCHITECTURE",
      `It is made for ${platform} on ${arch}; this is ${system.platform} on ${system.arch}.`,
    );
  const { kind, version } = system.libc;
  if (glibc === undefined) return undefined;
  if (kind === "musl") return reasonOf("LIBC_MUSL", "It is linked against glibc; this system has musl.");
  if (version !== undefined && compareDrivers(version, glibc) < 0)
    return reasonOf("GLIBC_TOO_OLD", `It needs glibc ${glibc} or newer; this system has ${version}.`);
  return undefined;
}
