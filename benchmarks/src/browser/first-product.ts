/** A page's first product with a 4-bit weight: opening with its self-test, upload, product, each timed. */
import { type WebgpuOptions, webgpu } from "@halfbyte/backend-webgpu";
import { createQuantizedTensor, openBackend } from "@halfbyte/core";

/** Milliseconds. */
export interface FirstProduct {
  /** From the first line of the script, opening and self-test included. */
  readonly open: number;
  readonly upload: number;
  /** Until the result is on the host. */
  readonly product: number;
  readonly tier: string;
}

declare const moduleStart: number;

async function firstProduct(n: number, k: number, options: WebgpuOptions): Promise<FirstProduct> {
  const opening = openBackend([webgpu(options)], { order: ["webgpu"] });
  const host = operands(n, k);
  const backend = await opening;
  if (backend.report.chosen !== "webgpu")
    throw new Error(backend.report.skipped.map(({ message }) => message).join(" "));
  const opened = performance.now();
  const codes = backend.tensor("uint8", [(n * k) / 2, 1], host.codes);
  const absmax = backend.tensor("float32", [(n * k) / blockSize], host.absmax);
  const x = backend.tensor("float32", [1, k], host.x);
  await backend.synchronize();
  const uploaded = performance.now();
  const scales = { kind: "block", absmax } as const;
  const weight = createQuantizedTensor({ format: "nf4", shape: [n, k], dtype: "float32", blockSize, codes, scales });
  await backend.kernels.gemm4bit({ x, weight }).out.read();
  const done = performance.now();
  return { open: opened - moduleStart, upload: uploaded - opened, product: done - uploaded, tier: backend.tier };
}

const blockSize = 64;

/** Any bytes are codes. */
const operands = (n: number, k: number) => ({
  codes: new Uint8Array((n * k) / 2).fill(0x5a),
  absmax: new Float32Array((n * k) / blockSize).fill(0.02),
  x: new Float32Array(k).fill(1),
});

Object.assign(globalThis, { firstProduct });
