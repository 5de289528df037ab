/** Where a report was made: the machine, and the version of everything that took part. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { cpu } from "@halfbyte/backend-cpu";
import { version } from "@halfbyte/core";
import { load } from "koffi";
import { floorLibrary } from "../floors/library.js";
import { versionOf } from "../peers/peer.js";
import type { Machine } from "./row.js";

export const machineFacts = (): Omit<Machine, "floors" | "floorsMissing"> => ({
  cpu: cpus()[0]?.model.trim() ?? process.arch,
  cores: cpus().length,
  memoryBytes: totalmem(),
  os: `${type()} ${release()}`,
});

const peerPackages = [
  "onnxruntime-node",
  "onnxruntime-web",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-backend-wasm",
  "@tensorflow/tfjs-backend-webgpu",
  "gpu.js",
];

export async function versions(): Promise<Record<string, string>> {
  const floors = floorLibrary();
  return {
    halfbyte: version,
    commit: commit(),
    node: process.versions.node,
    "CPU library": await cpuLibrary(),
    "floor loops": typeof floors === "string" ? "none" : `${floors.compiler}, ${floors.isa}`,
    ...Object.fromEntries(peerPackages.map((name) => [name, installedVersion(name)])),
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // Not a clone, or no git: a report need not name the commit.
    return "unknown";
  }
}

function installedVersion(name: string): string {
  try {
    return versionOf(name);
  } catch {
    // Peers are optional.
    return "not installed";
  }
}

/** Its compiler, as it says itself. */
async function cpuLibrary(): Promise<string> {
  const { candidates } = await cpu().detect();
  const found = candidates.find(({ library, verdict }) => verdict !== "refused" && /\.(so|dylib|dll)$/.test(library));
  if (!found) return "none";
  const info = load(found.library).func("const char *hb_build_info()")() as string;
  return (JSON.parse(info) as { compiler?: string }).compiler ?? "unknown compiler";
}
