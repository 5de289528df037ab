/** dequantize4bit and dequantizeBlockwise: one kernel, exact by integers. */
import type { Float, Storage } from "@halfbyte/core";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import dequantizeText from "./dequantize.wgsl";
import type { Dispatch } from "./dispatch.js";

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

const text = [float32Text, float16Text, dequantizeText].join("\n");
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
