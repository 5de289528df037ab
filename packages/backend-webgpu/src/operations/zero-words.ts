/** Memory that bits are added to starts as zero. */
import type { Storage } from "@halfbyte/core";
import { params } from "../dispatch.js";
import { shader } from "../shader.js";
import zeroText from "../wgsl/zero_words.wgsl";
import type { Launcher } from "./operation.js";

const text = shader([zeroText]);

/** A tensor that fits a piece, and what pads its last word. */
export function zeroWords(launcher: Launcher, storage: Storage): void {
  const words = Math.ceil(storage.byteLength / 4);
  if (words === 0) return;
  const workgroups = Math.ceil(words / 256);
  launcher.run({
    kernel: "zero_words",
    text,
    constants: {},
    params: params(words),
    reads: [],
    writes: [storage],
    workgroups,
  });
}
