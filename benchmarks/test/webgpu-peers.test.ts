/** The peers of the WebGPU backend multiply rightly on the device that is given to them: in Node on Dawn, and in a page. */
import { join } from "node:path";
import { referenceBackend } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { chromiumAdvice, findChromium } from "../../test/find-chromium.js";
import { bundlePage } from "../src/browser/bundle.js";
import { launch } from "../src/browser/chromium.js";
import { serve } from "../src/browser/server.js";
import type { Clock } from "../src/measure/clock.js";
import type { OpenedAdapter } from "../src/webgpu/adapter.js";
import { gpuClock } from "../src/webgpu/clocks.js";
import { nodeModules, openOnDawn } from "../src/webgpu/dawn.js";
import { errorBoundOf, type PeerAnswer, peerFigures } from "./peer-figures.js";
import { openedOr } from "./webgpu-adapter.js";

/** Libraries stay with the device they were given first. */
let shared: Promise<OpenedAdapter> | undefined;
let clock: Clock | undefined;

const names = [
  "onnxruntime-web MatMulBnb4",
  "onnxruntime-web MatMulNBits level 4",
  "onnxruntime-web MatMulNBits level 0",
  "onnxruntime-web MatMul",
  "tfjs webgpu matMul",
  "gpu.js dense",
];

function expectRight(answers: readonly PeerAnswer[]): void {
  expect(answers.map(({ name }) => name)).toEqual(names);
  for (const { name, relativeError, times } of answers) {
    expect(relativeError, name).toBeLessThan(errorBoundOf(name));
    expect(Math.min(...times), name).toBeGreaterThanOrEqual(0);
  }
}

describe("peers on WebGPU", () => {
  it.for([1, 20])("multiply with %i rows of activations in Node", { timeout: 300_000 }, async (m, ctx) => {
    await openedOr(ctx);
    shared ??= openOnDawn();
    const { device } = await shared;
    clock ??= gpuClock(device);
    expectRight(await peerFigures(referenceBackend(), device, clock, nodeModules, m));
  });

  it.for([1, 20])("multiply with %i rows of activations in a page", { timeout: 300_000 }, async (m, ctx) => {
    if (!findChromium()) return ctx.skip(chromiumAdvice);
    expectRight(await inPage<PeerAnswer[]>(`peersOfPage(${m})`));
  });
});

async function inPage<T>(expression: string): Promise<T> {
  const script = await bundlePage(join(import.meta.dirname, "peers-page.ts"), { conditions: ["@halfbyte/source"] });
  await using served = await serve({ "/": ["text/html", "<!doctype html>"], "/page.js": ["text/javascript", script] });
  const browser = await launch({ adapter: "software" });
  try {
    const page = await browser.newPage();
    await page.goto(served.origin);
    return await page.evaluate<T>(`import("/page.js").then(() => ${expression})`);
  } finally {
    await browser.close();
  }
}
