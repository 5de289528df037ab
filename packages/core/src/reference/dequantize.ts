/** Decoding: table value times absmax in f32, then one rounding to the output dtype. The same rule for every format and profile. */
import { narrow } from "../dtype.js";
import { codeAt } from "../formats/packing.js";
import type { ArrayOf, Float } from "../tensor.js";

const fr = Math.fround;

/** Elements [begin, end) of a packed 4-bit tensor, to f32. */
export function decode4bit(
  codes: Uint8Array,
  absmax: Float32Array,
  code: Float32Array,
  blockSize: number,
  begin: number,
  end: number,
  out: Float32Array,
): void {
  for (let i = begin; i < end; i++) out[i - begin] = fr(code[codeAt(codes, i)]! * absmax[Math.floor(i / blockSize)]!);
}

/** Elements [begin, end) of a blockwise 8-bit tensor, to f32; `offset` is added in f32 (nested statistics). */
export function decodeBlockwise(
  codes: Uint8Array,
  absmax: Float32Array,
  code: Float32Array,
  blockSize: number,
  begin: number,
  end: number,
  out: Float32Array,
  offset = 0,
): void {
  for (let i = begin; i < end; i++) {
    const value = fr(code[codes[i]!]! * absmax[Math.floor(i / blockSize)]!);
    out[i - begin] = offset === 0 ? value : fr(value + offset);
  }
}

/** Decodes in pieces through a small buffer and stores in `dtype`. */
export function storeDecoded(
  dtype: Float,
  begin: number,
  end: number,
  out: ArrayOf[Float],
  decode: (begin: number, end: number, piece: Float32Array) => void,
): void {
  const piece = new Float32Array(Math.min(4096, end - begin));
  for (let at = begin; at < end; at += piece.length) {
    const stop = Math.min(end, at + piece.length);
    decode(at, stop, piece);
    narrow(dtype, piece, stop - at, out, at);
  }
}
