/** The main entry of core runs where there is no Node: bundled for the browser, small, and right to the byte. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as core from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { root } from "../scripts/run.mjs";
import { builtinImports, bundle } from "./browser-bundle.js";
import { evaluateInChromium } from "./chromium-page.js";
import { chromiumAdvice, findChromium } from "./find-chromium.js";

const entry = join(root, "packages", "core", "src", "index.ts");

describe("the browser bundle of @halfbyte/core", () => {
  it("imports no Node built-in", async () => {
    const { metafile } = await bundle(entry, false);
    expect(builtinImports(metafile)).toEqual([]);
  });

  it("is under 60 KB minified and gzipped", async () => {
    const { outputFiles } = await bundle(entry, true);
    expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThan(60_000);
  });

  it("quantizes in headless Chromium to the bytes that Node gets", async (ctx) => {
    const executablePath = findChromium();
    if (!executablePath) return ctx.skip(chromiumAdvice);
    const inNode = await roundTrip(core, input());
    const inBrowser = await runInChromium(executablePath, input());
    expect(inBrowser).toEqual(inNode);
  });
});

interface RoundTrip {
  codes: number[];
  absmax: number[];
  /** Bits of the dequantized floats. */
  values: number[];
}

/**
 * Runs in Node and, sent over as text, in the page: so it uses nothing but its arguments, and arrays of plain numbers cross
 * the border.
 */
async function roundTrip(halfbyte: typeof core, numbers: number[]): Promise<RoundTrip> {
  const backend = await halfbyte.openBackend([halfbyte.reference()]);
  const x = backend.tensor("float32", [33, 65], new Float32Array(numbers));
  const weight = await halfbyte.quantize(x, { format: "nf4" });
  const { out } = backend.kernels.dequantize4bit({ weight, dtype: "float32" });
  const bits = async (tensor: core.Tensor) => {
    const { buffer, byteOffset, byteLength } = await tensor.read();
    return Array.from(new Uint8Array(buffer, byteOffset, byteLength));
  };
  const result = { codes: await bits(weight.codes), absmax: await bits(weight.scales.absmax), values: await bits(out) };
  await backend.dispose();
  return result;
}

/** An odd number of elements, with a tail block; values of every magnitude, from a fixed recurrence. */
function input(): number[] {
  let state = 1;
  return Array.from({ length: 33 * 65 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 31 - 1) * 2 ** ((state % 40) - 20));
  });
}

async function runInChromium(executablePath: string, numbers: number[]): Promise<RoundTrip> {
  const { outputFiles } = await bundle(entry, true);
  const pages = { "/core.js": ["text/javascript", outputFiles[0]!.text] } as const;
  const run = `import("/core.js").then((core) => (${roundTrip})(core, ${JSON.stringify(numbers)}))`;
  return evaluateInChromium(executablePath, pages, run);
}
