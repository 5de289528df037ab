/** dequantize4bit and dequantizeBlockwise, exact by integers: the values of a block once where it is large enough, else element by element. */
import {
  createQuantizedTensor,
  type Float,
  type Ops,
  type QuantizedTensor,
  type Scales,
  type Storage,
  selfTestCase,
  storageOf,
  type Tensor,
} from "@halfbyte/core";
import { float, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { blockRanges, type Range, refuseBlocks, sliceOf } from "../slices.js";
import type { Traits } from "../traits.js";
import decodeTaskText from "../wgsl/decode_task.wgsl";
import dequantizeText from "../wgsl/dequantize.wgsl";
import dequantizeBlocksText from "../wgsl/dequantize_blocks.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import type { Kernel, Launcher, Operation } from "./operation.js";

interface Shape {
  readonly bits: 4 | 8;
  readonly size: number;
  readonly blockSize: number;
  readonly dtype: Float;
}

type Nested = Extract<Scales, { kind: "nested" }>;

interface Decoding extends Shape {
  /** Added to every product in float32; to those that make the scales, where they are nested. */
  readonly offset: number;
  readonly codes: Storage;
  readonly absmax: Storage;
  readonly code: Storage;
  readonly nested?: Nested;
  readonly out: Storage;
}

const task = [float32Text, float16Text, decodeTaskText];
const elementwise = shader([...task, dequantizeText]);
const blockwise = shader([...task, dequantizeBlocksText]);
const lanes = 256;
/** Elements of a workgroup that decodes block by block. */
const tile = 4096;

const outBits = (dtype: Float): number => (dtype === "float32" ? 32 : 16);
const widestOf = ({ dtype, blockSize }: Shape): number => Math.max(outBits(dtype) / 8, 4 / blockSize);
const rangesOf = (shape: Shape, { pieceBytes }: Traits): Range[] =>
  blockRanges(shape.size, shape.blockSize, widestOf(shape), pieceBytes);

const constantsOf = (dtype: Float) => ({ out_bits: outBits(dtype), is_bfloat16: dtype === "bfloat16" ? 1 : 0 });

function paramsOf({ blockSize, offset, nested }: Decoding, range: Range): Uint32Array {
  const shift = Math.log2(blockSize);
  const isShift = Number.isInteger(shift) && shift < 32;
  return params(
    range.to - range.from,
    Math.min(blockSize, 0xffffffff),
    isShift ? shift : 32,
    offset === 0 ? 0 : float(offset),
    Math.min(nested?.nestedBlockSize ?? 1, 0xffffffff),
    range.from / blockSize,
  );
}

const blocksOf = ({ blockSize }: Shape, { from, to }: Range): Range => ({
  from: from / blockSize,
  to: Math.ceil(to / blockSize),
});

function decodeElements(launcher: Launcher, decoding: Decoding): void {
  const { bits, size, dtype, codes, absmax, code, out } = decoding;
  if (size === 0) return;
  for (const range of rangesOf(decoding, launcher.traits))
    launcher.run({
      kernel: "dequantize",
      text: elementwise,
      constants: { bits, ...constantsOf(dtype) },
      params: paramsOf(decoding, range),
      reads: [sliceOf(codes, range, bits), sliceOf(absmax, blocksOf(decoding, range), 32), code],
      writes: [sliceOf(out, range, outBits(dtype))],
      workgroups: Math.ceil(((range.to - range.from) * outBits(dtype)) / 128 / lanes),
    });
}

function decodeBlocks(launcher: Launcher, decoding: Decoding): void {
  const { size, dtype, codes, absmax, code, nested, out } = decoding;
  if (size === 0) return;
  for (const range of rangesOf(decoding, launcher.traits))
    launcher.run({
      kernel: "dequantize_blocks",
      text: blockwise,
      constants: { is_nested: nested ? 1 : 0, ...constantsOf(dtype) },
      params: paramsOf(decoding, range),
      reads: [
        sliceOf(codes, range, 4),
        sliceOf(absmax, blocksOf(decoding, range), nested ? 8 : 32),
        code,
        nested ? storageOf(nested.nestedAbsmax) : code,
        nested ? storageOf(nested.nestedCode) : code,
      ],
      writes: [sliceOf(out, range, outBits(dtype))],
      workgroups: Math.ceil((range.to - range.from) / tile),
    });
}

const refuseShape = (shape: Shape, { pieceBytes }: Traits): string | undefined =>
  refuseBlocks(shape.size, shape.blockSize, widestOf(shape), pieceBytes);

type Args4bit = Ops["dequantize4bit"]["in"];

const shape4bit = ({ weight: { shape, blockSize }, dtype }: Args4bit): Shape => ({
  bits: 4,
  size: shape.reduce((a, b) => a * b, 1),
  blockSize,
  dtype,
});

function decoding4bit(launcher: Launcher, args: Args4bit, out: Storage): Decoding {
  const { format, codes, code, scales } = args.weight;
  const decoding = {
    ...shape4bit(args),
    offset: scales.kind === "nested" ? scales.offset : 0,
    codes: storageOf(codes),
    absmax: storageOf(scales.absmax),
    code: code ? storageOf(code) : launcher.table(format),
    out,
  };
  return scales.kind === "nested" ? { ...decoding, nested: scales } : decoding;
}

/** Ranges of nested scales begin at a whole word of their codes, 4 blocks, as those of 64 blocks do. */
function refuseBlockwise({ weight, dtype }: Args4bit, traits: Traits): string | undefined {
  const { blockSize, scales } = weight;
  if (blockSize < 32 || blockSize % 8 !== 0) return `blocks of ${blockSize} elements are decoded one by one.`;
  const nestedBytes = scales.kind === "nested" ? scales.nestedAbsmax.size * 4 : 0;
  if (nestedBytes > traits.pieceBytes) return "the scales of nested scales do not fit what is bound at once.";
  const shape = shape4bit({ weight, dtype });
  const isCut = scales.kind === "nested" && rangesOf(shape, traits).some(({ from }) => (from / blockSize) % 4 !== 0);
  return isCut ? "slices would begin within a word of nested scales." : refuseShape(shape, traits);
}

const blocks4bit: Kernel<"dequantize4bit"> = {
  name: "dequantize_blocks",
  refuse: refuseBlockwise,
  variants: [
    {
      name: "t0",
      needs: [],
      launch: (launcher, args, { out }) => decodeBlocks(launcher, decoding4bit(launcher, args, storageOf(out))),
    },
  ],
};

const elements4bit: Kernel<"dequantize4bit"> = {
  name: "dequantize",
  refuse: (args, traits) =>
    args.weight.scales.kind === "nested"
      ? "scales are decoded by a kernel of their own."
      : refuseShape(shape4bit(args), traits),
  variants: [
    {
      name: "t0",
      needs: [],
      launch: (launcher, args, { out }) => decodeElements(launcher, decoding4bit(launcher, args, storageOf(out))),
    },
  ],
};

/** Blocks of 20, which are neither a power of two nor whole words of codes. */
function smallBlocks(
  weightOn: (size: number) => { codes: Tensor<"uint8">; absmax: Tensor<"float32"> },
): QuantizedTensor {
  const size = 90;
  const { codes, absmax } = weightOn(size);
  const scales = { kind: "block", absmax } as const;
  return createQuantizedTensor({ format: "nf4", shape: [size], dtype: "float32", blockSize: 20, codes, scales });
}

export const dequantize4bit: Operation<"dequantize4bit"> = {
  kernels: [blocks4bit, elements4bit],
  cases: [
    selfTestCase("dequantize4bit", 0, (backend) => ({
      weight: smallBlocks((size) => ({
        codes: backend.tensor(
          "uint8",
          [size / 2],
          Uint8Array.from({ length: size / 2 }, (_, i) => (i * 37) % 256),
        ),
        absmax: backend.tensor("float32", [5], Float32Array.of(1, 0.3, 2 ** -130, 7e30, 1.7)),
      })),
      dtype: "bfloat16",
    })),
  ],
};

const shapeBlockwise = ({ codes, blockSize, dtype }: Ops["dequantizeBlockwise"]["in"]): Shape => ({
  bits: 8,
  size: codes.size,
  blockSize,
  dtype,
});

export const dequantizeBlockwise: Operation<"dequantizeBlockwise"> = {
  kernels: [
    {
      name: "dequantize",
      refuse: (args, traits) => refuseShape(shapeBlockwise(args), traits),
      variants: [
        {
          name: "t0",
          needs: [],
          launch: (launcher, args, { out }) =>
            decodeElements(launcher, {
              ...shapeBlockwise(args),
              offset: args.offset ?? 0,
              codes: storageOf(args.codes),
              absmax: storageOf(args.absmax),
              code: storageOf(args.code),
              out: storageOf(out),
            }),
        },
      ],
    },
  ],
};
