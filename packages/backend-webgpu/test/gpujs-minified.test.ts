/** The gpu.js tier on WebGL2 in headless Chromium, bundled and minified: its kernels are text, which a minifier leaves alone. */
import { fileURLToPath } from "node:url";
import { matmulBound } from "@halfbyte/conformance";
import { type OpenReport, type Reason, referenceBackend } from "@halfbyte/core";
import { build } from "esbuild";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { evaluateInChromium } from "../../../test/chromium-page.js";
import { chromiumAdvice, findChromium } from "../../../test/find-chromium.js";
import { decode, decodings, multiply, type Product, products } from "./gpujs-jobs.js";

interface Answer {
  tier: string;
  report: OpenReport;
  decoded: number[][];
  multiplied: number[][];
  /** Textures that are still there when every tensor is gone. */
  growth: number;
  packedBytes: number;
}

const chromium = findChromium();
const reference = referenceBackend();

async function inPage<T>(call: "answer" | "lose" | "withoutWebGl2"): Promise<T> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("gpujs-page.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["@halfbyte/source"],
    loader: { ".wgsl": "text" },
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  const pages = { "/app.js": ["text/javascript", outputFiles[0]!.text] } as const;
  return evaluateInChromium<T>(chromium!, pages, `import("/app.js").then((app) => app.${call}())`);
}

describe("the gpu.js tier in Chromium", () => {
  let answer: Answer;
  if (chromium) {
    beforeAll(async () => {
      answer = await inPage<Answer>("answer");
    }, 120_000);
  } else beforeEach(({ skip }) => skip(chromiumAdvice));

  test("opens on WebGL2 and passes its self-test", () => {
    expect(answer).toMatchObject({ tier: "gpujs-webgl2", report: { chosen: "webgpu", skipped: [] } });
    expect(answer.report.selfTest.cases).toBeGreaterThan(8);
  });

  test.each(decodings.map((job, i) => [name(job), job, i] as const))("decodes %s", async (_, job, i) => {
    expect(Float32Array.from(answer.decoded[i]!)).toEqual(await decode(reference, job));
  });

  test.each(products.map((job, i) => [name(job), job, i] as const))("multiplies %s", async (_, job, i) => {
    expect(await firstBeyond(job, answer.multiplied[i]!)).toBe(-1);
  });

  test("leaves no texture and no copy of a tensor behind", () => {
    // One output texture of each kernel stays with it.
    expect(answer.growth).toBeLessThan(10);
    expect(answer.packedBytes).toBe(0);
  });

  test("a lost context is DEVICE_LOST", async () => {
    expect(await inPage("lose")).toEqual(["DEVICE_LOST", "DEVICE_LOST", "DEVICE_LOST"]);
  });

  test("a browser without WebGL2 is NOT_AVAILABLE, with a remedy", async () => {
    const { detected, opened } = await inPage<{ detected: Reason; opened: string }>("withoutWebGl2");
    expect(detected).toMatchObject({ code: "NOT_AVAILABLE", remedy: expect.stringContaining("WebGL2") });
    expect(opened).toBe("NOT_AVAILABLE");
  });
});

const name = (job: object): string =>
  Object.entries(job)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");

/** The bound of the conformance suite against the float64 product, which the reference rounds once. */
async function firstBeyond(job: Product, found: readonly number[]): Promise<number> {
  const [expected, terms] = [await multiply(reference, job), await multiply(reference, job, true)];
  const bound = matmulBound(job.dtype, "exact", job.transpose ? job.n : job.k);
  const once = matmulBound(job.dtype, "exact", 0);
  return found.findIndex((y, i) => {
    const r = expected[i]!;
    return !(Math.abs(y - r) <= bound(r, terms[i]!) + once(r, 0));
  });
}
