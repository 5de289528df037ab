/** Where WebGPU comes from: the host's own, else Dawn for Node, the optional peer dependency `webgpu`. */
import { halfbyteError, messageOf } from "@halfbyte/core";

interface DawnForNode {
  create(flags: readonly string[]): GPU;
}

/** In a variable, so that bundlers for browsers leave it alone. */
const dawnPackage: string = "webgpu";

/** Throws NOT_AVAILABLE where there is none. */
export async function entryPoint(): Promise<GPU> {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  return own ?? dawn();
}

/** One for the process, never let go: Dawn crashes when its instance is collected before what was made with it. */
let instance: GPU | undefined;

async function dawn(): Promise<GPU> {
  try {
    const { create } = (await import(/* @vite-ignore */ dawnPackage)) as DawnForNode;
    instance ??= create([]);
    return instance;
  } catch (cause) {
    throw halfbyteError("NOT_AVAILABLE", `This host has no WebGPU of its own: ${messageOf(cause)}.`, {
      cause,
      remedy: "In Node, install the npm package `webgpu`; in a browser, open the page over https or on localhost.",
    });
  }
}
