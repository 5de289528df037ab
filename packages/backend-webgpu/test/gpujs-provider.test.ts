/** When the gpu.js tier opens, what it says where it cannot, and that nobody carries it who does not ask for it. */
import { fileURLToPath } from "node:url";
import { openBackend } from "@halfbyte/core";
import { build } from "esbuild";
import * as gpujs from "gpu.js";
import { expect, test } from "vitest";
import { webgpu } from "../src/index.js";

const noAdapter = { requestAdapter: async () => null } as unknown as GPU;

test("in Node it is JavaScript, and software", async () => {
  expect(await webgpu({ tier: "gpujs" }).detect()).toMatchObject({
    provider: "webgpu",
    available: true,
    devices: [{ name: "JavaScript on the CPU", software: true }],
  });
});

test("it is taken only when it is asked for by name", async () => {
  await using other = await openBackend([webgpu({ tier: "gpujs" })]);
  expect(other.report).toMatchObject({ chosen: "reference", skipped: [{ code: "SOFTWARE_ADAPTER" }] });
});

test("as a fallback it follows WebGPU, and the report says why", async () => {
  await using backend = await openBackend([webgpu({ gpu: noAdapter, fallback: "gpujs" })], { order: ["webgpu"] });
  expect(backend).toMatchObject({ name: "webgpu", tier: "gpujs-cpu" });
  expect(backend.report.skipped).toMatchObject([{ provider: "webgpu", stage: "detect", code: "NOT_AVAILABLE" }]);
});

test("WebGPU alone does not fall back to it", async () => {
  await using backend = await openBackend([webgpu({ gpu: noAdapter })], { order: ["webgpu"] });
  expect(backend.report).toMatchObject({ chosen: "reference", skipped: [{ code: "NOT_AVAILABLE" }] });
});

const notInstalled = {
  missing: () => Promise.reject(new Error("Cannot find package 'gpu.js'")),
  "something else": async () => ({ GPU: class {} }),
};

test.each(Object.entries(notInstalled))("gpu.js %s is PACKAGE_NOT_INSTALLED", async (_, gpujs) => {
  const provider = webgpu({ tier: "gpujs", gpujs });
  const refused = { code: "PACKAGE_NOT_INSTALLED", remedy: expect.stringContaining("npm package `gpu.js`") };
  expect(await provider.detect()).toMatchObject({ available: false, reason: refused });
  await expect(provider.open()).rejects.toMatchObject(refused);
});

/** gpu.js with one constant changed in the text of one kernel. */
const broken = async () => ({
  GPU: class extends (gpujs.GPU as unknown as new (settings: object) => { createKernel: Create }) {
    override createKernel: Create = (source, settings) =>
      super.createKernel(
        source.replace("words[(element + wordOffset) * 0.25]", "words[(element + wordOffset) * 0.5]"),
        settings,
      );
  },
});
type Create = (source: string, settings: object) => unknown;

test("a kernel that computes something else fails the self-test", async () => {
  await using other = await openBackend([webgpu({ tier: "gpujs", gpujs: broken })], { order: ["webgpu"] });
  const message = expect.stringContaining("gemm4bit (gpujs-cpu:product4bitByWord)");
  expect(other.report).toMatchObject({
    chosen: "reference",
    skipped: [{ stage: "self-test", code: "SELF_TEST_FAILED", message }],
  });
});

test("an aborted opening is ABORTED", async () => {
  const opening = webgpu({ tier: "gpujs" }).open({ signal: AbortSignal.abort() });
  await expect(opening).rejects.toMatchObject({ code: "ABORTED" });
});

test("a bundle loads it only on demand, and gpu.js only where it is passed in", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../src/index.ts", import.meta.url))],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    conditions: ["@halfbyte/source"],
    loader: { ".wgsl": "text" },
    outdir: "bundle",
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const entry = outputFiles.find(({ path }) => path.endsWith("index.js"))!;
  const [, { imports }] = Object.entries(metafile.outputs).find(([path]) => path.endsWith("index.js"))!;
  expect(entry.text).not.toContain("product4bit");
  expect(imports.find(({ kind }) => kind === "dynamic-import")?.path).toMatch(/provider/);
  expect(Object.keys(metafile.inputs).filter((path) => path.includes("gpu.js"))).toEqual([]);
});
