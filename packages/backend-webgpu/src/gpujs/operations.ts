/** The operations of this tier: decoding and products. Everything else is refused by name. */
import type { OpName, Ops, QuantizedTensor } from "@halfbyte/core";
import { coded4bit, storedTable } from "./coded.js";
import { dequantize } from "./dequantize.js";
import type { Engine } from "./engine.js";
import { decode4bit, decode8bit } from "./kernels/decode.js";
import { type Kernel, tileElements } from "./kernels/kernel.js";
import { productDense } from "./kernels/product.js";
import { codedWeight, denseWeight, kernel4bit, multiply, type Product, type ProductWeight } from "./product.js";
import { hostStorageOf } from "./storage.js";

/** What the queue runs; the storages it works on are those of the call. */
export type Job = (engine: Engine) => Promise<void>;

export interface Operation<K extends OpName> {
  /** Why these arguments cannot be run. */
  refuse(args: Ops[K]["in"]): string | undefined;
  kernel(args: Ops[K]["in"]): Kernel;
  job(args: Ops[K]["in"], out: Ops[K]["out"]): Job;
}

const refuseBlocks = (blockSize: number): string | undefined =>
  blockSize > tileElements ? `a block of ${blockSize} elements is longer than ${tileElements}.` : undefined;

const refuseWeight = ({ scales, blockSize }: QuantizedTensor): string | undefined =>
  scales.kind === "nested" ? "nested scales are decoded by a kernel of their own." : refuseBlocks(blockSize);

const refuseRows = (extents: readonly number[]): string | undefined =>
  Math.max(...extents) > tileElements ? `a row is longer than ${tileElements} elements.` : undefined;

const dequantize4bit: Operation<"dequantize4bit"> = {
  refuse: ({ weight }) => refuseWeight(weight),
  kernel: () => decode4bit,
  job({ weight, dtype }, { out }) {
    const job = { coded: coded4bit(weight), size: out.size, offset: 0, dtype, out: hostStorageOf(out) };
    return (engine) => dequantize(engine, job);
  },
};

const dequantizeBlockwise: Operation<"dequantizeBlockwise"> = {
  refuse: ({ blockSize }) => refuseBlocks(blockSize),
  kernel: () => decode8bit,
  job({ codes, absmax, code, blockSize, offset = 0, dtype }, { out }) {
    const [codesAt, absmaxAt] = [hostStorageOf(codes), hostStorageOf(absmax)];
    const coded = { bits: 8, blockSize, codes: codesAt, absmax: absmaxAt, table: storedTable(code) } as const;
    const job = { coded, size: out.size, offset, dtype, out: hostStorageOf(out) };
    return (engine) => dequantize(engine, job);
  },
};

const gemm4bit: Operation<"gemm4bit"> = {
  refuse: ({ weight }) => refuseWeight(weight) ?? refuseRows(weight.shape),
  kernel: ({ weight, transpose = false }) => kernel4bit(weight.shape[1]!, weight.blockSize, transpose),
  job(args, { out }) {
    const job = productOf(args, out, codedWeight(coded4bit(args.weight), gemm4bit.kernel(args)));
    return (engine) => multiply(engine, job);
  },
};

const gemm: Operation<"gemm"> = {
  refuse: ({ weight }) => refuseRows(weight.shape),
  kernel: () => productDense,
  job(args, { out }) {
    const { dtype } = args.weight;
    const job = productOf(args, out, denseWeight({ storage: hostStorageOf(args.weight), dtype }));
    return (engine) => multiply(engine, job);
  },
};

type ProductArgs = Ops["gemm4bit"]["in"] | Ops["gemm"]["in"];

function productOf(args: ProductArgs, out: Ops["gemm"]["out"]["out"], weight: ProductWeight): Product {
  const { x, bias, transpose = false } = args;
  const [n, k] = args.weight.shape as readonly [number, number];
  const m = x.shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);
  return {
    weight,
    ...{ m, n, k, transpose },
    dtype: x.dtype,
    x: hostStorageOf(x),
    bias: bias && { storage: hostStorageOf(bias), dtype: bias.dtype },
    out: hostStorageOf(out),
  };
}

export const operations: { readonly [K in OpName]?: Operation<K> } = {
  dequantize4bit,
  dequantizeBlockwise,
  gemm4bit,
  gemm,
};
