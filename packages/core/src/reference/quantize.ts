/** Quantization of runs of blocks: absmax, scaled values, codes. */

import type { Format } from "../formats/format.js";
import { packPair } from "../formats/packing.js";
import type { Profile } from "../kernels.js";
import { type BlockReader, scaleBlock } from "./block-scale.js";
import { type Encoder, encoder4bit, encoderBlockwise } from "./encode.js";

/** Quantizes block after block of one tensor. */
export interface BlockQuantizer {
  /** Blocks [begin, end): one absmax each, and their codes. */
  run(begin: number, end: number): void;
}

/** 4-bit codes, packed; the last nibble of an odd tensor is the code of 0. */
export function quantizer4bit(
  reader: BlockReader,
  format: Format,
  profile: Profile,
  codes: Uint8Array,
  absmax: Float32Array,
): BlockQuantizer {
  const encode = encoder4bit(format, profile);
  const block = new Uint8Array(reader.blockSize + 1);
  const padding = codeOfZero(encode);
  return {
    run(begin, end) {
      for (let b = begin; b < end; b++) {
        const count = reader.load(b);
        absmax[b] = scaleBlock(reader.values, count, count < reader.blockSize, { profile, dividesTail: true });
        encode(reader.values, count, block);
        block[count] = padding;
        packBlock(block, count, codes, (b * reader.blockSize) / 2);
      }
    },
  };
}

function codeOfZero(encode: Encoder): number {
  const code = new Uint8Array(1);
  encode(new Float32Array(1), 1, code);
  return code[0]!;
}

function packBlock(block: Uint8Array, count: number, codes: Uint8Array, offset: number): void {
  for (let i = 0; i < count; i += 2) codes[offset + (i >> 1)] = packPair(block[i]!, block[i + 1]!);
}

/** One byte per element; a zero block gets the code of 0, except code 0 under the profiles that copy upstream's kernels. */
export function quantizerBlockwise(
  reader: BlockReader,
  code: Float32Array,
  profile: Profile,
  codes: Uint8Array,
  absmax: Float32Array,
): BlockQuantizer {
  const encode = encoderBlockwise(code, profile);
  return {
    run(begin, end) {
      for (let b = begin; b < end; b++) {
        const count = reader.load(b);
        const out = codes.subarray(b * reader.blockSize, b * reader.blockSize + count);
        absmax[b] = scaleBlock(reader.values, count, false, { profile, dividesTail: false });
        if (absmax[b] === 0 && profile !== "reference") out.fill(0);
        else encode(reader.values, count, out);
      }
    },
  };
}
