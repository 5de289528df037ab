/** The linear layers that onnxruntime knows: one node with its constant weights each. */
import { halfbyteError } from "@halfbyte/core";
import { blockSize, type Weight4bit, type WeightRow } from "../product.js";
import type { OnnxNode, OnnxTensor } from "./model.js";

export const onnxOps = ["MatMulBnb4", "MatMulNBits level 4", "MatMulNBits level 0", "MatMul"] as const;
export type OnnxOp = (typeof onnxOps)[number] | "MatMulNBits 8 bit level 4";

/** A layer [n, k] without its names: what several nodes may be made of. */
export interface OnnxLinear {
  readonly n: number;
  readonly k: number;
  readonly node: Omit<OnnxNode, "inputs" | "output">;
  readonly weights: readonly Omit<OnnxTensor, "name">[];
  /** What the operator takes its weight for. */
  readonly row: WeightRow;
}

const microsoft = "com.microsoft";
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

export interface Matrix {
  readonly n: number;
  readonly k: number;
}

/** `dense` are the values of `weight`; without codes only the other operators can be made. Throws UNSUPPORTED_KERNEL. */
export function onnxLinear(op: OnnxOp, weight: Weight4bit | Matrix, dense: Float32Array): OnnxLinear {
  if (op === "MatMulBnb4") return bnb4(weight, dense);
  if (op === "MatMul") return matMul(weight, dense);
  if (op === "MatMulNBits 8 bit level 4") return nBits(weight, dense, 8, 4);
  return nBits(weight, dense, 4, op === "MatMulNBits level 4" ? 4 : 0);
}

const rowOf =
  (values: Float32Array, k: number): WeightRow =>
  (n) =>
    values.subarray(n * k, (n + 1) * k);

/** The same bytes as ours: flat blocks, the first element in the high nibble. */
function bnb4(weight: Weight4bit | Matrix, dense: Float32Array): OnnxLinear {
  const quantType = "format" in weight ? ["fp4", "nf4"].indexOf(weight.format) : -1;
  if (!("format" in weight) || quantType < 0)
    throw halfbyteError("UNSUPPORTED_KERNEL", "MatMulBnb4 knows the formats nf4 and fp4 only.");
  const { n, k, codes, absmax } = weight;
  return {
    n,
    k,
    node: {
      op: "MatMulBnb4",
      domain: microsoft,
      attributes: { K: k, N: n, block_size: blockSize, quant_type: quantType },
    },
    weights: [
      { dtype: "uint8", shape: [codes.length], bytes: codes },
      { dtype: "float32", shape: [absmax.length], bytes: bytesOf(absmax) },
    ],
    row: rowOf(dense, k),
  };
}

/** MatMul wants its weight as [k, n]. */
function matMul({ n, k }: Matrix, dense: Float32Array): OnnxLinear {
  const transposed = new Float32Array(n * k);
  for (let row = 0; row < n; row++) for (let i = 0; i < k; i++) transposed[i * n + row] = dense[row * k + i]!;
  return {
    n,
    k,
    node: { op: "MatMul" },
    weights: [{ dtype: "float32", shape: [k, n], bytes: bytesOf(transposed) }],
    row: rowOf(dense, k),
  };
}

/** Symmetric integers in blocks along k. The values are rounded once more, so the weight is another one. */
function nBits({ n, k }: Matrix, dense: Float32Array, bits: 4 | 8, accuracyLevel: number): OnnxLinear {
  const blocks = Math.ceil(k / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  const zero = 2 ** (bits - 1);
  const codes = new Uint8Array(n * blocks * blockBytes).fill(bits === 4 ? 0x88 : 0x80);
  const scales = new Float32Array(n * blocks);
  for (let row = 0; row < n; row++)
    for (let block = 0; block < blocks; block++) {
      const values = dense.subarray(row * k + block * blockSize, row * k + Math.min(k, (block + 1) * blockSize));
      const at = row * blocks + block;
      scales[at] = quantizeBlock(values, bits, codes.subarray(at * blockBytes));
    }
  const code = (index: number) => (bits === 8 ? codes[index]! : (codes[index >> 1]! >> (4 * (index % 2))) & 15);
  return {
    n,
    k,
    node: {
      op: "MatMulNBits",
      domain: microsoft,
      attributes: { K: k, N: n, bits, block_size: blockSize, accuracy_level: accuracyLevel },
    },
    weights: [
      { dtype: "uint8", shape: [n, blocks, blockBytes], bytes: codes },
      { dtype: "float32", shape: [n * blocks], bytes: bytesOf(scales) },
    ],
    row: (row) =>
      Float64Array.from({ length: k }, (_, i) => {
        const at = row * blocks + Math.floor(i / blockSize);
        return (code(at * blockSize + (i % blockSize)) - zero) * scales[at]!;
      }),
  };
}

/** Writes the codes of one block, of four bits the first in the low nibble; returns its scale. */
function quantizeBlock(values: Float32Array, bits: 4 | 8, codes: Uint8Array): number {
  const zero = 2 ** (bits - 1);
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const scale = Math.fround(largest / (zero - 1));
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < values.length; i++) {
    const code = zero + Math.round(values[i]! * inverse);
    if (bits === 8) codes[i] = code;
    else codes[i >> 1] = i % 2 === 0 ? (codes[i >> 1]! & 0xf0) | code : (codes[i >> 1]! & 0x0f) | (code << 4);
  }
  return scale;
}
