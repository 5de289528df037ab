/** Weights as the kernels of products see them: 4-bit ones with their scales, and dense ones. */
import { type Float, type QuantizedTensor, type Storage, storageOf, type Tensor } from "@halfbyte/core";
import { float, type Operand } from "../dispatch.js";
import { type Range, sliceOf } from "../slices.js";
import { bitsOf, kinds, noBlocks, type Weight } from "./product.js";

const matrix = (shape: readonly number[]): Weight["shape"] => [shape[0]!, shape[1]!];

const elements = ({ from, to }: Range, k: number): Range => ({ from: from * k, to: to * k });

export const denseWeight = (weight: Tensor<Float>): Weight => ({
  shape: matrix(weight.shape),
  bits: bitsOf(weight.dtype),
  constants: { weight_kind: kinds[weight.dtype] },
  reads: (rows) => [sliceOf(storageOf(weight), elements(rows, weight.shape[1]!), bitsOf(weight.dtype))],
  words: () => noBlocks,
});

/** `code`: its table. */
export function weight4bit(weight: QuantizedTensor, code: Storage): Weight {
  const { blockSize, codes, scales, shape } = weight;
  const [, k] = matrix(shape);
  const nested = scales.kind === "nested" ? scales : undefined;
  return {
    shape: matrix(shape),
    bits: 4,
    constants: {},
    reads: (rows) => [
      sliceOf(storageOf(codes), elements(rows, k), 4),
      code,
      scalesOf(weight, elements(rows, k)),
      nested ? storageOf(nested.nestedAbsmax) : code,
      nested ? storageOf(nested.nestedCode) : code,
    ],
    words(rows) {
      const first = blocksOf(weight, elements(rows, k)).from;
      const firstInBlock = rows.from * k - first * blockSize;
      const { nestedBlockSize = 1, offset = 0 } = nested ?? {};
      return [blockSize, firstInBlock, first, nestedBlockSize, float(offset), nested ? 1 : 0];
    },
  };
}

const scaleBits = ({ scales }: QuantizedTensor): number => (scales.kind === "nested" ? 8 : 32);

/** The blocks that elements lie in, from one on whose scale can be bound. */
function blocksOf(weight: QuantizedTensor, { from, to }: Range): Range {
  const { blockSize } = weight;
  const step = 2048 / scaleBits(weight);
  return { from: Math.floor(from / blockSize / step) * step, to: Math.ceil(to / blockSize) };
}

const scalesOf = (weight: QuantizedTensor, range: Range): Operand =>
  sliceOf(storageOf(weight.scales.absmax), blocksOf(weight, range), scaleBits(weight));
