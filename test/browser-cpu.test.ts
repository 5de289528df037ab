/** The CPU backend where there is no Node: bundled for the browser, in a page and in a worker, with the WebAssembly files beside it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../scripts/run.mjs";
import { builtinImports, bundle } from "./browser-bundle.js";
import { evaluateInChromium, type Pages } from "./chromium-page.js";
import { chromiumAdvice, findChromium } from "./find-chromium.js";

const entry = join(root, "test", "browser-cpu-entry.ts");
const wasmFolder = join(root, "packages", "backend-cpu", "build", "wasm");

interface Answer {
  tier: string;
  chosen: string;
  codes: number[];
  /** The same operation on the reference kernels. */
  expectedCodes: number[];
  product: number[];
  expectedProduct: number[];
}

describe("the browser bundle of @halfbyte/backend-cpu", () => {
  it("imports no Node built-in, and no koffi", async () => {
    const { metafile } = await bundle(entry, false);
    expect(builtinImports(metafile)).toEqual([]);
    expect(Object.keys(metafile.inputs).filter((file) => file.includes("koffi"))).toEqual([]);
  });

  it.for(["page", "worker"])("quantizes and multiplies in a %s", async (place, { skip }) => {
    const executablePath = findChromium();
    if (!executablePath) return skip(chromiumAdvice);
    const answer = await evaluateInChromium<Answer>(executablePath, await pages(), expressions[place]!);
    expect(answer.chosen).toBe("cpu");
    expect(answer.tier).toMatch(/^wasm/);
    expect(answer.codes).toEqual(answer.expectedCodes);
    const largest = Math.max(...answer.expectedProduct.map(Math.abs));
    for (const [i, value] of answer.product.entries())
      expect(Math.abs(value - answer.expectedProduct[i]!)).toBeLessThan(1e-5 * largest);
  });
});

const expressions: Record<string, string> = {
  page: `import("/bundle/app.js").then(({ answer }) => answer())`,
  worker: `new Promise((resolve, reject) => {
    const worker = new Worker("/bundle/worker.js", { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  })`,
};

/** Where the bundle looks for its WebAssembly: below the folder above its own, as in the package. */
async function pages(): Promise<Pages> {
  const { outputFiles } = await bundle(entry, true);
  const wasm = ["halfbyte_cpu.wasm", "halfbyte_cpu.relaxed.wasm"].map(
    (name) => [`/build/wasm/${name}`, ["application/wasm", readFileSync(join(wasmFolder, name))]] as const,
  );
  return {
    "/bundle/app.js": ["text/javascript", outputFiles[0]!.text],
    "/bundle/worker.js": ["text/javascript", `import { answer } from "./app.js"; postMessage(await answer());`],
    ...Object.fromEntries(wasm),
  };
}
