/** What deno.test.ts runs in Deno, over the packages as built: the backend on Deno's own WebGPU, beside the reference kernels. Prints JSON. */
import { createQuantizedTensor, openBackend } from "@halfbyte/core";
import { webgpu } from "../dist/index.js";

const { available, reason, devices } = await webgpu().detect();
const chosen = await decoded(await openBackend([webgpu()], { order: ["webgpu"] }));
const expected = await decoded(await openBackend([], { order: ["reference"] }));
console.log(JSON.stringify({ deno: globalThis.Deno?.version.deno, available, reason, devices, chosen, expected }));

/** Every byte of codes, with two maxima. */
async function decoded(backend) {
  const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const absmax = Float32Array.from({ length: 8 }, (_, i) => 0.7 ** (i + 1));
  const weight = createQuantizedTensor({
    format: "nf4",
    shape: [8, 64],
    dtype: "float16",
    blockSize: 64,
    codes: backend.tensor("uint8", [256], codes),
    scales: { kind: "block", absmax: backend.tensor("float32", [8], absmax) },
  });
  const out = await backend.kernels.dequantize4bit({ weight, dtype: "float16" }).out.read();
  const { chosen: name, skipped } = backend.report;
  await backend.dispose();
  return { name, skipped: skipped.map(({ code }) => code), out: [...out] };
}
