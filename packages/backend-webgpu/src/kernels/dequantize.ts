/** dequantize4bit and dequantizeBlockwise: one kernel, exact by integers. */
import type { Float, Storage } from "@halfbyte/core";
import dequantizeText from "./dequantize.wgsl";
import type { Dispatch } from "./dispatch.js";
import floatBitsText from "./float_bits.wgsl";

export interface Decoding {
  readonly bits: 4 | 8;
  readonly size: number;
  readonly blockSize: number;
  /** Added to every product, in float32. */
  readonly offset: number;
  readonly dtype: Float;
  readonly codes: Storage;
  readonly absmax: Storage;
  readonly code: Storage;
  readonly out: Storage;
}

const text = `${floatBitsText}\n${dequantizeText}`;
const lanes = 256;

export function dequantize({ bits, size, blockSize, offset, dtype, codes, absmax, code, out }: Decoding): Dispatch {
  const params = new Uint32Array([size, Math.min(blockSize, 0xffffffff), 0]);
  new Float32Array(params.buffer)[2] = offset;
  return {
    kernel: "dequantize",
    text,
    constants: { bits, out_bits: dtype === "float32" ? 32 : 16, is_bfloat16: dtype === "bfloat16" ? 1 : 0 },
    params,
    storages: [codes, absmax, code, out],
    workgroups: Math.ceil((size * bits) / 32 / lanes),
  };
}
