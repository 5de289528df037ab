/** What gpujs-minified.test.ts runs in a page, bundled and minified as an application would. */
import { isHalfbyteError, openBackend } from "@halfbyte/core";
import { webgpu } from "../src/index.js";
import { decode, decodings, multiply, products } from "./gpujs-jobs.js";

const provider = webgpu({ tier: "gpujs", gpujs: () => import("gpu.js") });
const open = () => openBackend([provider], { order: ["webgpu"] });

export async function answer() {
  const textures = countTextures();
  const backend = await open();
  const atStart = textures.live;
  const decoded = await inTurn(decodings, (job) => decode(backend, job));
  const multiplied = await inTurn(products, (job) => multiply(backend, job));
  await backend.synchronize();
  const { tier, report } = backend;
  const growth = textures.live - atStart;
  const { packedBytes } = backend.memory();
  await backend.dispose();
  return { tier, report, decoded, multiplied, growth, packedBytes };
}

/** Plain numbers cross the border to Node. */
async function inTurn<T>(jobs: readonly T[], run: (job: T) => Promise<Float32Array>): Promise<number[][]> {
  const results: number[][] = [];
  for (const job of jobs) results.push([...(await run(job))]);
  return results;
}

function countTextures() {
  const count = { live: 0 };
  const { createTexture, deleteTexture } = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype.createTexture = function () {
    count.live++;
    return createTexture.call(this);
  };
  WebGL2RenderingContext.prototype.deleteTexture = function (texture) {
    count.live--;
    deleteTexture.call(this, texture);
  };
  return count;
}

/** What every use of a backend comes to whose context the browser takes back. */
export async function lose() {
  const contexts: WebGL2RenderingContext[] = [];
  const { getContext } = OffscreenCanvas.prototype;
  OffscreenCanvas.prototype.getContext = function (this: OffscreenCanvas, ...args: Parameters<typeof getContext>) {
    const context = getContext.apply(this, args);
    contexts.push(context as unknown as WebGL2RenderingContext);
    return context;
  } as typeof getContext;
  const backend = await open();
  const x = backend.tensor("float32", [4, 64], new Float32Array(256).fill(1));
  const { out } = backend.kernels.gemm({ x, weight: x });
  contexts.at(-1)!.getExtension("WEBGL_lose_context")!.loseContext();
  const codes = [await codeOf(() => out.read()), await codeOf(() => x.read())];
  await new Promise((resolve) => setTimeout(resolve, 50));
  codes.push(await codeOf(() => backend.kernels.gemm({ x, weight: x }).out.read()));
  await backend.dispose();
  return codes;
}

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "none";
  } catch (thrown) {
    return isHalfbyteError(thrown) ? thrown.code : String(thrown);
  }
}

/** A browser that has no WebGL2, and that is not Node. */
export async function withoutWebGl2() {
  OffscreenCanvas.prototype.getContext = () => null;
  HTMLCanvasElement.prototype.getContext = () => null;
  return { detected: (await provider.detect()).reason, opened: await codeOf(() => provider.open()) };
}
