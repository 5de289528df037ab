/** The libraries that are mapped into this process, and its C library. */
import { readFileSync } from "node:fs";
import { load } from "koffi";
import type { World } from "./world.js";

/** Linux tells them in one file; elsewhere a report of the process does, which takes longer. */
export function loadedLibraries(platform: NodeJS.Platform = process.platform): readonly string[] {
  return platform === "linux" ? mappedFiles(readFileSync("/proc/self/maps", "utf8")) : reportedLibraries();
}

/** "7f3a…-7f3b… r-xp 00000000 08:01 1234   /usr/lib/libcuda.so.535.54.03 (deleted)" */
export function mappedFiles(maps: string): string[] {
  const paths = new Set<string>();
  for (const [, path] of maps.matchAll(/^(?:\S+ +){5}(\/.*)$/gm)) paths.add(path!);
  return [...paths];
}

interface ProcessReport {
  /** Since Node 20.13. */
  excludeNetwork?: boolean;
  getReport(): { readonly sharedObjects?: readonly string[] };
}

/** Without its network part, which would look up host names. */
function reportedLibraries(): readonly string[] {
  const report = process.report as unknown as ProcessReport | undefined;
  if (!report) return [];
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  try {
    return report.getReport().sharedObjects ?? [];
  } finally {
    report.excludeNetwork = before;
  }
}

/** glibc tells its version; musl has no such function. Much faster than a report of the process, which has it too. */
export function cLibrary(platform: NodeJS.Platform = process.platform): World["libc"] {
  if (platform !== "linux") return { kind: "none" };
  try {
    return { kind: "glibc", version: load(null).func("gnu_get_libc_version", "str", [])() as string };
  } catch {
    return { kind: "musl" };
  }
}
