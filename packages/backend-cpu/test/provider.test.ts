/** What the provider says about itself, with and without a library. */
import { existsSync } from "node:fs";
import { type Ops, openBackend, opNames, registeredBackends, storageOf } from "@halfbyte/core";
import { afterEach, expect, it } from "vitest";
import { cpu } from "../src/index.js";
import { cpuLibraries } from "../src/library.js";
import { forgetSelfTests, notBuilt } from "./conformance.js";

const variable = "HALFBYTE_CPU_ISA";
const before = process.env[variable];
afterEach(() => {
  if (before === undefined) delete process.env[variable];
  else process.env[variable] = before;
});

it("detect() tells of every candidate and loads none", async () => {
  const detection = await cpu().detect();
  expect(detection.provider).toBe("cpu");
  const libraries = detection.candidates.map(({ library }) => library);
  expect(libraries.slice(0, -1)).toEqual(expect.arrayContaining(cpuLibraries().map(({ path }) => path)));
  expect(libraries.at(-1)).toMatch(/halfbyte_cpu\.wasm$/);
  expect((await cpu({ tier: "native" }).detect()).available).toBe(notBuilt === undefined);
  expect(detection.devices[0]).toMatchObject({ id: "cpu", software: false });
  if (existsSync("/proc/self/maps")) expect(isMapped("halfbyte_cpu")).toBe(false);
});

const isMapped = (name: string): boolean =>
  process.report.getReport !== undefined &&
  (process.report.getReport() as { sharedObjects: string[] }).sharedObjects.some((path) => path.includes(name));

it("names its build, or how to get one", async () => {
  const { available, versions, reason } = await cpu({ tier: "native" }).detect();
  if (available) expect(versions["build"]).toMatch(/^[0-9a-f]{64}/);
  else
    expect(reason).toMatchObject({ code: "LIBRARY_NOT_FOUND", remedy: expect.stringContaining("pnpm build:native") });
});

it("HALFBYTE_CPU_ISA=wasm opens WebAssembly, whatever else there is", async () => {
  process.env[variable] = "wasm";
  await using backend = await openBackend([cpu()], { order: ["cpu"] });
  expect(backend.tier).toBe("wasm");
  expect(backend.report).toMatchObject({ chosen: "cpu", skipped: [] });
});

it("without a native library the backend runs in WebAssembly and says why", async ({ skip }) => {
  if (!notBuilt) skip("the native library is there");
  forgetSelfTests();
  await using backend = await openBackend([cpu()], { order: ["cpu"] });
  expect(backend.tier).toMatch(/^wasm/);
  expect(backend.report.skipped).toMatchObject([{ provider: "cpu", stage: "detect", code: "LIBRARY_NOT_FOUND" }]);
});

it("an unknown instruction set is said to be ignored", async () => {
  process.env[variable] = "avx1024";
  const { sources } = await cpu().detect();
  expect(sources.find(({ name }) => name === variable)?.ignoredBecause).toContain("avx512");
});

it.each([{ tier: "gpu" as never }, { threads: -1 }, { threads: 1.5 }])("%j is refused", async (options) => {
  await expect(cpu(options).open()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

it("tier reference opens without a library, and says what it is", async () => {
  await using backend = await openBackend([cpu({ tier: "reference" })], { order: ["cpu"] });
  expect(backend.report).toMatchObject({ chosen: "cpu", skipped: [] });
  expect(backend.tier).toBe("reference");
});

it("/register registers it", async () => {
  await import("../src/register.js");
  expect(registeredBackends().map(({ name }) => name)).toContain("cpu");
});

it("explain() names the instruction set, and the self-test covers every operation", async ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  forgetSelfTests();
  await using backend = await openBackend([cpu()], { order: ["cpu"] });
  expect(backend.report.chosen).toBe("cpu");
  expect(backend.report.selfTest.cases).toBeGreaterThan(opNames.length);
  const x = backend.zeros("float32", [3, 64]);
  const args: Ops["gemm"]["in"] = { x, weight: backend.zeros("float32", [2, 64]) };
  const isas = ["scalar", "avx2", "avx512", "neon", "wasm", "wasm-relaxed"];
  expect(backend.explain("gemm", args)).toMatchObject({ kernel: "hb_gemm", composed: false });
  expect(isas).toContain((backend.explain("gemm", args) as { variant: string }).variant);
  expect(isas).toContain(backend.tier);
  expect(storageOf(x).byteLength).toBe(x.byteLength);
});

it("a passed self-test is remembered", async ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  forgetSelfTests();
  await (await openBackend([cpu()], { order: ["cpu"] })).dispose();
  await using again = await openBackend([cpu()], { order: ["cpu"] });
  expect(again.report.selfTest).toMatchObject({ cases: 0, cached: true });
});
