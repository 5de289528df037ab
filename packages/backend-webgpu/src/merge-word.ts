/** Some bytes of one word, written by a kernel. */
import type { Storage } from "@halfbyte/core";
import { type Dispatch, params } from "./dispatch.js";
import { shader } from "./shader.js";
import type { Edge } from "./split-write.js";
import mergeWordText from "./wgsl/merge_word.wgsl";

const text = shader([mergeWordText]);

export const mergeWord = (target: Storage, { word, mask, value }: Edge): Dispatch => ({
  kernel: "merge_word",
  text,
  constants: {},
  params: params(word, mask, value),
  reads: [],
  writes: [target],
  workgroups: 1,
});
