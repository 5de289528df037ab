/**
 * LLM.int8() rows (arXiv 2208.07339): codes are signed integers, one absmax per row, value = code · absmax / 127. Entry
 * q + 128 of the table belongs to integer q, so that it is a format like the others; kernels use the integers.
 */
import type { Format } from "./format.js";

/** f32(1/127), as written out upstream. */
export const inverse127 = Math.fround(7.874015718698502e-3);

export const int8Rowwise: Format = {
  name: "int8-rowwise",
  bits: 8,
  scales: "row",
  code: Float32Array.from({ length: 256 }, (_, i) => (i - 128) * inverse127),
  blockSizes: [0],
  defaultBlockSize: 0,
  source: "LLM.int8(), arXiv 2208.07339; bitsandbytes functional.py",
};
