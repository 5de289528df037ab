/**
 * Gives all test files one temporary folder for what they share (see installed-packages.ts), removed at the end, and builds the emulated CUDA device when
 * its sources changed: in a test its minute would count as the test's. Test processes inherit the Vulkan driver that `pnpm vulkan:software` has fetched.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildEmulated, reasonWithoutEmulation } from "../packages/backend-cuda/scripts/build-emulated.mjs";
import { keptDriver, vulkanCache } from "../scripts/software-vulkan.mjs";

declare module "vitest" {
  interface ProvidedContext {
    sharedFolder: string;
  }
}

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "halfbyte-test-"));
  project.provide("sharedFolder", folder);
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", remove); // an interrupted run does not get to its teardown
  nameVulkanDriver(folder);
  if (!reasonWithoutEmulation()) buildEmulated();
  return remove;
}

/** Mesa complains without a folder of the user's own. What it compiled, which takes minutes, is kept whatever a test makes of XDG_CACHE_HOME. */
function nameVulkanDriver(folder: string): void {
  const driver = keptDriver();
  if (driver) process.env["VK_ICD_FILENAMES"] ??= driver;
  if (driver) process.env["MESA_SHADER_CACHE_DIR"] ??= join(vulkanCache(), "compiled");
  if (process.platform !== "linux" || process.env["XDG_RUNTIME_DIR"]) return;
  const scratch = join(folder, "run");
  mkdirSync(scratch, { mode: 0o700 });
  process.env["XDG_RUNTIME_DIR"] = scratch;
}
