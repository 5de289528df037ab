/**
 * Everything that runs on the emulated device, golden vectors included, with a library under AddressSanitizer and UndefinedBehaviorSanitizer: no kernel
 * reads or writes beside its memory, loads from a misaligned address, or does what C++ leaves undefined. Needs g++; minutes.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { root } from "../../../scripts/run.mjs";
import { buildEmulated } from "../scripts/build-emulated.mjs";
import { compiler, noSanitizers, sanitizedEnvironment, sanitizedLibraryFlags } from "./sanitizers.js";

const minutes = 60_000;
const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".emulated.test.ts"))
  .map((name) => join(import.meta.dirname, name));

it("every test of the emulated device passes under sanitizers", { timeout: 30 * minutes }, ({ skip }) => {
  if (noSanitizers) skip(noSanitizers);
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-sanitized-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const library = buildEmulated({ output: folder, compiler, flags: sanitizedLibraryFlags });
  const report = join(folder, "report.json");
  const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--root", root];
  const options = [`--testTimeout=${10 * minutes}`, "--reporter=json", `--outputFile=${report}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...vitest, ...options, ...files], {
    encoding: "utf8",
    env: sanitizedEnvironment(library),
    maxBuffer: 64 << 20,
  });
  expect(status, `${stdout}${stderr}`.slice(-20_000)).toBe(0);
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
  expect({ failed: numFailedTests, skipped: numPendingTests }).toEqual({ failed: 0, skipped: 0 });
  expect(numPassedTests).toBeGreaterThan(500);
});
