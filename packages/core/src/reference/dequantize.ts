/** Decoding: table value times absmax in f32, then one rounding to the output dtype. The same rule for every format and profile. */
import { narrow } from "../dtype.js";
import { lookUpCodes } from "../formats/packing.js";
import { lastOf } from "../shape.js";
import type { ArrayOf, Float, Shape } from "../tensor.js";
import { dequantizeRow } from "./int8.js";

const fr = Math.fround;

/** Decodes flat elements [begin, end) to f32. */
export type Decode = (begin: number, end: number, out: Float32Array) => void;

/** A weight of any format but for its scales. */
export interface CodedWeight {
  readonly shape: Shape;
  /** Signed: rows of LLM.int8(). */
  readonly codes: Uint8Array | Int8Array;
  /** 16 or 256 entries. */
  readonly code: Float32Array;
  readonly blockSize: number;
}

export function decoderOf({ shape, codes, code, blockSize }: CodedWeight, absmax: Float32Array): Decode {
  if (codes instanceof Int8Array) return rowDecoder(codes, absmax, lastOf(shape));
  if (code.length === 16) return blockDecoder4bit(codes, absmax, code, blockSize);
  return (begin, end, out) => decodeBlockwise(codes, absmax, code, blockSize, begin, end, out);
}

/** One product per code and block. */
function blockDecoder4bit(codes: Uint8Array, absmax: Float32Array, code: Float32Array, blockSize: number): Decode {
  const scaled = new Float32Array(16);
  return (begin, end, out) => {
    for (let at = begin; at < end; ) {
      const block = Math.floor(at / blockSize);
      const stop = Math.min(end, (block + 1) * blockSize);
      for (let i = 0; i < 16; i++) scaled[i] = code[i]! * absmax[block]!;
      lookUpCodes(codes, at, stop, scaled, out, at - begin);
      at = stop;
    }
  };
}

function rowDecoder(codes: Int8Array, stats: Float32Array, columns: number): Decode {
  return (begin, end, out) => {
    for (let at = begin; at < end; ) {
      const row = Math.floor(at / columns);
      const stop = Math.min(end, (row + 1) * columns);
      dequantizeRow(codes.subarray(at, stop), stats[row]!, out.subarray(at - begin, stop - begin));
      at = stop;
    }
  };
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
export function storeDecoded(dtype: Float, begin: number, end: number, out: ArrayOf[Float], decode: Decode): void {
  const piece = new Float32Array(Math.min(4096, end - begin));
  for (let at = begin; at < end; at += piece.length) {
    const stop = Math.min(end, at + piece.length);
    decode(at, stop, piece);
    narrow(dtype, piece, stop - at, out, at);
  }
}
