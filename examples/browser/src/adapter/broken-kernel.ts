/** A kernel that computes something else, to see whether it is noticed: what a miscompiled one would look like. */
import { type AlterShader, webgpu } from "@halfbyte/backend-webgpu";
import { openBackend } from "@halfbyte/core";
import { reasonOf } from "../failure.js";
import type { Broken } from "./adapter-calls.js";

/** The mask of a 4-bit code becomes one of three bits, in the decoding kernel alone. */
const loseBits: AlterShader = (text, kernel) =>
  kernel.startsWith("dequantize") ? text.replace(/\b(15u|0xfu)\b/g, "7u") : text;

const change = "In the WGSL text of the decoder, the mask that takes a code out of its byte was changed from 15 to 7.";

/** Opens WebGPU with it, and closes it. */
export async function breakKernel(): Promise<Broken> {
  const backend = await openBackend([webgpu({ alterShader: loseBits, operations: ["dequantize4bit"] })], {
    order: ["webgpu"],
  });
  const { skipped, selfTest } = backend.report;
  await backend.dispose();
  const refused = skipped.find(({ provider }) => provider === "webgpu");
  return { change, demoted: selfTest.demoted ?? [], ...(refused && { refused: reasonOf(refused) }) };
}
