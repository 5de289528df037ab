/** What `pnpm gpu:carry:webgpu` packs runs with Node alone, from beside golden/. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { carryWebgpu } from "../scripts/carry-webgpu.mjs";

const folder = resolve(import.meta.dirname, "..", ".carry", `test-webgpu-${process.pid}`);

const canRun = process.platform === "linux" && process.arch === "x64" && spawnSync("xz", ["--version"]).status === 0;

beforeEach((context) => {
  if (!canRun) context.skip("the archive is for Linux on x86-64, and packed with xz");
});

beforeAll(async () => {
  if (!canRun) return;
  mkdirSync(folder, { recursive: true });
  const archive = await carryWebgpu({ output: join(folder, "webgpu.tar.xz") });
  expect(spawnSync("tar", ["-C", folder, "-xJf", archive]).status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** With a Vulkan driver that is not there. */
function run(script: string, ...args: string[]) {
  const env = { ...process.env, VK_ICD_FILENAMES: join(folder, "none.json") };
  return spawnSync(process.execPath, [join(folder, "webgpu", script), ...args], { encoding: "utf8", env });
}

it("the conformance suite finds Dawn, and says that there is no adapter", () => {
  const { status, stderr } = run("conformance.mjs", "--tier", "t0");
  expect(stderr).toContain("WebGPU is here but offers no adapter");
  expect(status).toBe(2);
});

it("the benchmarks start, and say in a report what could not be measured", () => {
  const { status, stdout } = run("bench.mjs", "gemm-4bit", "--backend", "webgpu", "--shape", "1x64x64", "--json");
  expect(status).toBe(1);
  const { failures, versions } = JSON.parse(stdout) as Record<"failures" | "versions", unknown>;
  expect(JSON.stringify(failures)).toContain("offers no WebGPU adapter");
  expect(versions).toMatchObject({ "onnxruntime-web": expect.stringMatching(/^\d/) });
});
