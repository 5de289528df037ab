/** The main entry of core runs where there is no Node: bundled for the browser, small, and right to the byte. */
import { createServer, type Server } from "node:http";
import { builtinModules } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as core from "@halfbyte/core";
import { type BuildResult, build, type Metafile } from "esbuild";
import { chromium } from "playwright-core";
import { describe, expect, it } from "vitest";
import { root } from "../scripts/run.mjs";
import { chromiumAdvice, chromiumFlags, findChromium } from "./find-chromium.js";

const builtins = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);

describe("the browser bundle of @halfbyte/core", () => {
  it("imports no Node built-in", async () => {
    const { metafile } = await bundle(false);
    expect(builtinImports(metafile)).toEqual([]);
  });

  it("is under 60 KB minified and gzipped", async () => {
    const { outputFiles } = await bundle(true);
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

function bundle(minify: boolean): Promise<BuildResult<{ write: false; metafile: true }>> {
  return build({
    entryPoints: [join(root, "packages", "core", "src", "index.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["@halfbyte/source"],
    external: [...builtins], // so that an import of one is found by the test and named, not a failed build
    minify,
    metafile: true,
    write: false,
    logLevel: "silent",
  });
}

function builtinImports({ inputs }: Metafile): string[] {
  return Object.entries(inputs).flatMap(([file, { imports }]) =>
    imports.filter(({ path }) => builtins.has(path)).map(({ path }) => `${file} imports ${path}`),
  );
}

async function runInChromium(executablePath: string, numbers: number[]): Promise<RoundTrip> {
  const { outputFiles } = await bundle(true);
  const server = await serve({
    "/": ["text/html", "<!doctype html>"],
    "/core.js": ["text/javascript", outputFiles[0]!.text],
  });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    // As text: the functions that vitest compiled may refer to helpers that the page does not have.
    const run = `import("/core.js").then((core) => (${roundTrip})(core, ${JSON.stringify(numbers)}))`;
    return await page.evaluate<RoundTrip>(run);
  } finally {
    await browser.close();
    server.close();
  }
}

function serve(pages: Record<string, [type: string, body: string]>): Promise<Server> {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? ""];
    response.writeHead(page ? 200 : 404, { "content-type": page?.[0] ?? "text/plain" }).end(page?.[1]);
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}
