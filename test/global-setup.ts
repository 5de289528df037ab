/**
 * Gives all test files one temporary folder for what they share (see installed-packages.ts) and removes it at the end.
 * It costs nothing until a test fills it.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

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
  return remove;
}
