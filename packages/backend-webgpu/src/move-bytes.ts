/** Bytes of one tensor to another, at any offset: what slices of whole words cannot say. */
import type { Storage } from "@halfbyte/core";
import { type Dispatch, params, type Slice } from "./dispatch.js";
import { shader } from "./shader.js";
import text from "./wgsl/move_bytes.wgsl";

const moveText = shader([text]);

export interface Bytes {
  readonly storage: Storage;
  readonly offset: number;
}

const wordsAround = ({ storage, offset }: Bytes, count: number): Slice => ({
  storage,
  from: Math.floor(offset / 4) * 4,
  to: Math.ceil((offset + count) / 4) * 4,
});

export function moveBytes(from: Bytes, to: Bytes, count: number): Dispatch {
  const target = wordsAround(to, count);
  return {
    kernel: "move_bytes",
    text: moveText,
    constants: {},
    params: params(count, from.offset % 4, to.offset % 4),
    reads: [wordsAround(from, count)],
    writes: [target],
    workgroups: Math.ceil((target.to - target.from) / 1024),
  };
}
