/** Some bytes of one word, written by a kernel. */
import type { Storage } from "@halfbyte/core";
import type { Edge } from "../split-write.js";
import type { Dispatch } from "./dispatch.js";
import text from "./merge_word.wgsl";

export const mergeWord = (target: Storage, { word, mask, value }: Edge): Dispatch => ({
  kernel: "merge_word",
  text,
  constants: {},
  params: new Uint32Array([word, mask, value]),
  storages: [target],
  workgroups: 1,
});
