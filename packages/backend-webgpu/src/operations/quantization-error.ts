/** quantizationError: scale and largest difference exact by integers, sums in float32. */
import {
  errorSums,
  type Float,
  getFormat,
  type Ops,
  type QuantizedTensor,
  type Storage,
  storageOf,
} from "@halfbyte/core";
import { params } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, ranges, sliceOf } from "../slices.js";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import quantizationErrorText from "../wgsl/quantization_error.wgsl";
import type { Launcher, Operation } from "./operation.js";

const text = shader([float32Text, float16Text, quantizationErrorText]);
const { segment, columns } = errorSums;

type Args = Ops["quantizationError"]["in"];

/** How a weight is decoded; a row of LLM.int8() is a block. */
interface Coding {
  readonly bits: 4 | 8;
  readonly isSigned: boolean;
  readonly blockSize: number;
  /** Undefined: the codes are the values. */
  readonly table: Storage | undefined;
}

function codingOf(launcher: Launcher, { shape, format, blockSize, code, scales }: QuantizedTensor): Coding {
  if (scales.kind === "row") return { bits: 8, isSigned: true, blockSize: shape.at(-1) ?? 1, table: undefined };
  const bits = (code?.size ?? getFormat(format).code.length) === 256 ? 8 : 4;
  const table = code ? storageOf(code) : launcher.table(format);
  return { bits, isSigned: false, blockSize, table };
}

const bitsOf = (dtype: Float): number => (dtype === "float32" ? 32 : 16);

/** Blocks need not start where segments do. */
function measure(launcher: Launcher, { x, weight }: Args, sums: Storage, coding: Coding, { from, to }: Range): void {
  const { bits, isSigned, blockSize, table } = coding;
  const [block, size] = [Math.min(blockSize, x.size), to - from];
  const blocks = { from: Math.floor(from / block), to: Math.ceil(to / block) };
  const absmax = storageOf(weight.scales.absmax);
  launcher.run({
    kernel: "quantization_error",
    text,
    constants: {
      bits,
      is_signed: isSigned ? 1 : 0,
      x_bits: bitsOf(x.dtype),
      is_bfloat16: x.dtype === "bfloat16" ? 1 : 0,
    },
    params: params(size, block, from % block),
    reads: [
      sliceOf(storageOf(x), { from, to }, bitsOf(x.dtype)),
      sliceOf(storageOf(weight.codes), { from, to }, bits),
      sliceOf(absmax, blocks, 32),
      table ?? absmax,
    ],
    writes: [
      sliceOf(sums, { from: (from / segment) * columns.length, to: Math.ceil(to / segment) * columns.length }, 32),
    ],
    workgroups: Math.ceil(size / segment),
  });
}

/** Of a slice, at most: dispatches that long leave the device to others in between. */
const mostBytes = 2 ** 28;

function rangesOf({ x, weight }: Args, pieceBytes: number): Range[] {
  const scaleBytes = weight.scales.kind === "row" ? 4 / (weight.shape.at(-1) ?? 1) : 4 / weight.blockSize;
  const widest = Math.max(bitsOf(x.dtype) / 8, scaleBytes);
  // A slice that starts within a block has one block more.
  return ranges(x.size, widest, Math.min(pieceBytes, mostBytes) - 4, segment);
}

function refuse(args: Args, pieceBytes: number): string | undefined {
  const { x, weight } = args;
  if (weight.scales.kind === "nested") return "nested scales are decoded by a kernel of their own.";
  const block = weight.scales.kind === "row" ? (weight.shape.at(-1) ?? 1) : weight.blockSize;
  if (Math.min(block, x.size) > 2 ** 31) return `blocks of ${block} elements are beyond 32 bits.`;
  if (x.size > 0 && rangesOf(args, pieceBytes).length === 0)
    return `a segment of ${segment} elements does not fit the ${pieceBytes} bytes that are bound at once.`;
  return undefined;
}

function launch(launcher: Launcher, args: Args, { sums }: Ops["quantizationError"]["out"]): void {
  const coding = codingOf(launcher, args.weight);
  for (const range of rangesOf(args, launcher.traits.pieceBytes))
    measure(launcher, args, storageOf(sums), coding, range);
}

export const quantizationError: Operation<"quantizationError"> = {
  kernels: [
    {
      name: "quantization_error",
      refuse: (args, { pieceBytes }) => refuse(args, pieceBytes),
      variants: [{ name: "t0", needs: [], launch }],
    },
  ],
};
