/**
 * onnxruntime-node of the application: its CUDA part is a library of its own, whose dependencies tell the CUDA major. It is fetched
 * when the package is installed, so it may be missing.
 */
import { posix, win32 } from "node:path";
import { messageOf } from "@halfbyte/core";
import { type ApplicationPackage, applicationPackage } from "../application-package.js";
import type { Detector } from "../detector.js";
import { elfDependencies } from "../elf-needed.js";
import { exists } from "../exists.js";
import type { Framework } from "../machine-facts.js";
import type { World } from "../world.js";
import { frameworkAt, frameworkRole, sayFramework } from "./framework.js";

const name = "onnxruntime-node";

export const onnxruntime: Detector<Framework> = {
  name,
  depth: "quick",
  async find(world) {
    const found = await applicationPackage(world, name);
    return found && { ...frameworkAt(name, found), ...(await cudaOf(world, found)) };
  },
  value: sayFramework,
  role: (found, context) => frameworkRole(found, context),
};

async function cudaOf(world: World, { folder }: ApplicationPackage): Promise<Pick<Framework, "cuda" | "toldBy">> {
  const path = await providerOf(world, folder);
  if (path === undefined) return { toldBy: "it has no CUDA provider: that is not part of this installation" };
  if (world.platform !== "linux") return { toldBy: `${path} is there; its dependencies are not read on this platform` };
  try {
    const { needed } = await elfDependencies(world, path);
    const cuda = majorOf(needed);
    return cuda ? { cuda, toldBy: path } : { toldBy: `${path} names no CUDA library that it needs` };
  } catch (thrown) {
    return { toldBy: `${path} cannot be read: ${messageOf(thrown)}` };
  }
}

/** bin/napi-v3/linux/x64 in older packages, napi-v6 since 1.22. */
async function providerOf(world: World, folder: string): Promise<string | undefined> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const file = world.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  const versions = await world.list(join(folder, "bin")).catch(() => []);
  for (const version of versions.filter((each) => /^napi-v\d{1,2}$/.test(each)).slice(0, 8)) {
    const path = join(folder, "bin", version, world.platform, world.arch, file);
    if (await exists(world, path)) return path;
  }
  return undefined;
}

/** libcublasLt.so.12, else libcudart.so.12: since CUDA 11 the number is the CUDA major. */
function majorOf(needed: readonly string[]): { major: number } | undefined {
  for (const library of ["libcublasLt", "libcublas", "libcudart"]) {
    const found = needed.map((each) => new RegExp(`^${library}\\.so\\.(\\d{1,2})(?:\\.|$)`).exec(each)).find(Boolean);
    if (found) return { major: Number(found[1]) };
  }
  return undefined;
}
