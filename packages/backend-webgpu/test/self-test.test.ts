/** The self-test, variant by variant: what is wrong is found, named and not used. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, openBackend } from "@halfbyte/core";
import { afterEach, beforeEach, expect, type TestContext, test, vi } from "vitest";
import { variantsOf, type WebgpuOptions, webgpu } from "../src/index.js";
import { skipWithoutAdapter } from "./open.js";

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "halfbyte-cache-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

async function open(context: TestContext, options: WebgpuOptions = {}): Promise<Backend> {
  await skipWithoutAdapter(context);
  return openBackend([webgpu(options)], { order: ["webgpu"] });
}

/** Enough for what the cache does, and soon compiled. */
const few = { operations: ["dequantize4bit", "dequantizeBlockwise"] } as const;

const cacheFile = () => join(cache, "halfbyte", "webgpu-variants.json");

test("every variant that the adapter has is run by a case, and passes", async (context) => {
  for (const tier of ["full", "t0"] as const) {
    await using backend = await open(context, { tier });
    const variants = variantsOf(backend);
    expect(variants.length).toBeGreaterThan(0);
    for (const { op, kernel, variant, verdict, reason } of variants) {
      const line = `${op} ${kernel} ${variant}: ${reason?.message}`;
      expect(["passed", "unavailable"], line).toContain(verdict);
      if (variant === "t0") expect(verdict, line).toBe("passed");
    }
  }
});

test("tier t0 asks for nothing that is optional", async (context) => {
  await using backend = await open(context, { tier: "t0" });
  expect(backend.tier).toBe("t0");
  const usable = variantsOf(backend).filter(({ verdict }) => verdict !== "unavailable");
  expect(usable.filter(({ variant }) => /subgroups|dp4a/.test(variant))).toEqual([]);
});

test("an operation without a right kernel is no backend, and the reason names it", async (context) => {
  const alterShader = (text: string, kernel: string) =>
    kernel === "dequantize" ? text.replaceAll("0xffu", "0x7fu") : text;
  await using backend = await open(context, { ...few, alterShader });
  expect(backend.report.chosen).toBe("reference");
  const [skipped] = backend.report.skipped;
  expect(skipped).toMatchObject({ provider: "webgpu", stage: "self-test", code: "SELF_TEST_FAILED" });
  expect(skipped!.message).toMatch(/dequantizeBlockwise/);
});

test("passes are remembered, and nothing else", async (context) => {
  await (await open(context, few)).dispose();
  await using again = await open(context, few);
  expect(again.report.selfTest).toMatchObject({ cases: 0, cached: true });
  expect(await readFile(cacheFile(), "utf8")).not.toMatch(/demoted|unavailable/);
  await using other = await open(context, { ...few, tier: "t0" });
  expect(other.report.selfTest.cached).toBe(false);
});

test("a cache that says nonsense is ignored", async (context) => {
  await (await open(context, few)).dispose();
  const text = await readFile(cacheFile(), "utf8");
  for (const wrong of [text.slice(0, -9), text.replaceAll(/\{[^{}]*\}"\]$/g, '{no JSON"]')]) {
    await writeFile(cacheFile(), wrong);
    await using backend = await open(context, few);
    expect(backend.report).toMatchObject({ chosen: "webgpu", selfTest: { cached: false } });
  }
});

test("an altered kernel is neither remembered nor believed", async (context) => {
  await (await open(context, few)).dispose();
  const before = await readFile(cacheFile(), "utf8");
  await using backend = await open(context, { ...few, alterShader: (text) => `${text}\n// altered` });
  expect(backend.report).toMatchObject({ chosen: "webgpu", selfTest: { cached: false } });
  expect(await readFile(cacheFile(), "utf8")).toBe(before);
});

test("a backend for one operation tests that one, refuses the others, and forgets nothing", async (context) => {
  await (await open(context, few)).dispose();
  vi.stubEnv("XDG_CACHE_HOME", join(cache, "another"));
  const operations = ["dequantizeBlockwise"] as const;
  await using backend = await open(context, { operations });
  expect(new Set(variantsOf(backend).map(({ op }) => op))).toEqual(new Set(operations));
  using x = backend.zeros("float32", [64]);
  const refusal = backend.explain("quantize4bit", { x, format: "nf4", blockSize: 64 });
  expect(refusal).toMatchObject({ code: "UNSUPPORTED_KERNEL", message: expect.stringMatching(/opened for/) });
  vi.stubEnv("XDG_CACHE_HOME", cache);
  await (await open(context, { operations })).dispose();
  await using all = await open(context, few);
  expect(all.report.selfTest.cached).toBe(true);
});

test("an operation that does not exist is a typed error", async (context) => {
  await skipWithoutAdapter(context);
  const opening = webgpu({ operations: ["gemm5bit" as never] }).open();
  await expect(opening).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/gemm5bit/) });
});
