/** `pnpm bench:browser`: its options, its report on a tiny run, and the size of what a page loads. */
import { describe, expect, it, vi } from "vitest";
import { chromiumAdvice, findChromium } from "../../test/find-chromium.js";
import { bundleSize } from "../src/browser/bundle.js";
import { type BrowserFlags, browserCommand } from "../src/browser/options.js";
import { browserSpecs, runBrowserProgram } from "../src/browser/program.js";
import { runInBrowser } from "../src/browser/run.js";
import { keyOf } from "../src/spec.js";
import { targets } from "../src/targets.js";
import { expectReport } from "./command-line.js";

function flagsOf(args: readonly string[]): { suites: string[]; flags: BrowserFlags } {
  const command = browserCommand().action(() => undefined);
  command.parse(args, { from: "user" });
  return { suites: command.args, flags: command.opts<BrowserFlags>() };
}

const sources = { conditions: ["@halfbyte/source"] };

describe("options of bench:browser", () => {
  it("measure the cases that have a target when nothing is asked for", () => {
    const { flags } = flagsOf([]);
    const specs = browserSpecs(["gemm-4bit"], flags).map(keyOf);
    const wanted = targets
      .flatMap(({ cases }) => cases)
      .filter(({ backend, suite }) => backend === "webgpu" && suite !== "startup");
    expect(specs).toEqual(wanted.map(keyOf));
  });

  it("take shapes, formats and dtypes", () => {
    const { flags } = flagsOf(["dequantize", "--shape", "1x64x64", "--format", "fp4", "--dtype", "bfloat16", "--cold"]);
    const specs = browserSpecs(["dequantize"], flags);
    expect(specs.map(({ format, dtype, temperature }) => [format, dtype, temperature])).toEqual([
      ["fp4", "bfloat16", "warm"],
      ["fp4", "bfloat16", "cold"],
    ]);
  });

  it.each([
    [["no-such-suite"]],
    [["checkpoint"]],
    [["--shape", "4096"]],
    [["--adapter", "abacus"]],
    [["--peers", "everybody"]],
    [["--runs", "0"]],
  ])("%j exits with 2 and measures nothing", async (args) => {
    const errors: string[] = [];
    vi.spyOn(process.stderr, "write").mockImplementation((text) => errors.push(String(text)) > 0);
    const code = await runBrowserProgram(args).finally(() => vi.restoreAllMocks());
    expect(code).toBe(2);
    expect(errors.join("")).toMatch(/error: .{10}/);
  });
});

describe("a tiny run in Chromium", () => {
  it("gives a report of the same shape as in Node", { timeout: 600_000 }, async (ctx) => {
    if (!findChromium()) return ctx.skip(chromiumAdvice);
    const { flags } = flagsOf(["--shape", "1x64x128", "--format", "nf4"]);
    const report = await runInBrowser({
      specs: browserSpecs(["dequantize", "gemm-4bit"], flags),
      withStartup: true,
      settings: { rounds: 1, peers: ["onnxruntime-web", "tfjs", "gpu.js"] },
      adapter: "software",
      bundling: sources,
      progress: () => undefined,
    });
    const { rows, machine, failures } = expectReport(JSON.stringify(report));
    expect(machine.adapter).toMatchObject({ isSoftware: true, host: expect.stringMatching(/^headless Chromium \d+/) });
    expect(machine.floors!.every(({ rate }) => rate > 0)).toBe(true);
    const decoded = rows.filter(({ suite }) => suite === "dequantize");
    expect(decoded.map(({ memory, timing }) => `${memory} by ${timing}`)).toEqual([
      "pool by wall clock",
      "into by wall clock",
      "into by GPU timestamps",
    ]);
    for (const { relativeError, floor } of decoded) {
      expect(relativeError).toBeLessThan(1e-7);
      expect(floor!.kind).toBe("write");
    }
    expectEveryCase(
      rows.map((row) => row.suite),
      failures.map((failure) => failure.case),
    );
  });
});

/** Measured, or named with the reason. */
function expectEveryCase(measured: readonly string[], failed: readonly string[]): void {
  for (const suite of ["gemm-4bit", "startup"])
    expect(measured.includes(suite) || failed.some((name) => name.startsWith(suite)), suite).toBe(true);
}

describe("what a page loads", () => {
  it("of core and the WebGPU backend is less than the target, minified and gzipped", async () => {
    const { gzipBytes, gzipLimit, bytes } = await bundleSize(sources);
    expect(gzipLimit).toBe(120_000);
    expect(gzipBytes).toBeLessThan(gzipLimit);
    expect(bytes).toBeGreaterThan(gzipBytes);
  });
});
