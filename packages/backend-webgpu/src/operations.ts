/** The operations this backend has kernels for. Core composes others from them, or says that there is none. */
import { type OpName, type Ops, type Storage, storageOf } from "@halfbyte/core";
import { dequantize } from "./kernels/dequantize.js";
import type { Dispatch } from "./kernels/dispatch.js";

/** What an operation needs from its device. */
export interface Tables {
  /** The codebook of a format, on the device. */
  table(format: string): Storage;
}

export interface Operation<K extends OpName> {
  /** Why these arguments cannot be run. */
  refuse?(args: Ops[K]["in"]): string | undefined;
  /** Undefined: there is nothing to do. */
  dispatch(tables: Tables, args: Ops[K]["in"], out: Ops[K]["out"]): Dispatch | undefined;
}

const dequantize4bit: Operation<"dequantize4bit"> = {
  refuse: ({ weight }) =>
    weight.scales.kind === "nested" ? "scales are decoded by a kernel of their own." : undefined,
  dispatch(tables, { weight, dtype }, { out }) {
    const { format, blockSize, codes, code, scales } = weight;
    if (out.size === 0) return undefined;
    return dequantize({
      bits: 4,
      size: out.size,
      blockSize,
      offset: 0,
      dtype,
      codes: storageOf(codes),
      absmax: storageOf(scales.absmax),
      code: code ? storageOf(code) : tables.table(format),
      out: storageOf(out),
    });
  },
};

const dequantizeBlockwise: Operation<"dequantizeBlockwise"> = {
  dispatch(_tables, { codes, absmax, code, blockSize, offset = 0, dtype }, { out }) {
    if (out.size === 0) return undefined;
    return dequantize({
      bits: 8,
      size: out.size,
      blockSize,
      offset,
      dtype,
      codes: storageOf(codes),
      absmax: storageOf(absmax),
      code: storageOf(code),
      out: storageOf(out),
    });
  },
};

export const operations: { readonly [K in OpName]?: Operation<K> } = { dequantize4bit, dequantizeBlockwise };
