/** dequantize4bit and dequantizeBlockwise: one kernel, exact by integers. */
import { type Float, type OpName, type Ops, type Storage, storageOf } from "@halfbyte/core";
import { float, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { leastCommonMultiple, type Range, ranges, sliceOf } from "../slices.js";
import type { Traits } from "../traits.js";
import dequantizeText from "../wgsl/dequantize.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import type { Launcher, Operation } from "./operation.js";

interface Decoding {
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

const text = shader([float32Text, float16Text, dequantizeText]);
const lanes = 256;

const outBits = (dtype: Float): number => (dtype === "float32" ? 32 : 16);

/** Ranges that start at a block and at a whole word of codes. */
const rangesOf = ({ size, blockSize, dtype }: Shape, pieceBytes: number): Range[] =>
  ranges(size, outBits(dtype) / 8, pieceBytes, leastCommonMultiple(64 * Math.min(blockSize, size), 512));

type Shape = Pick<Decoding, "size" | "blockSize" | "dtype">;

const refuseBlocks = (shape: Shape, { pieceBytes }: Traits): string | undefined =>
  shape.size > 0 && rangesOf(shape, pieceBytes).length === 0
    ? `blocks of ${shape.blockSize} elements do not fit the ${pieceBytes} bytes that are bound at once.`
    : undefined;

function decode(launcher: Launcher, decoding: Decoding): void {
  if (decoding.size === 0) return;
  for (const range of rangesOf(decoding, launcher.traits.pieceBytes)) decodeRange(launcher, decoding, range);
}

function decodeRange(launcher: Launcher, decoding: Decoding, range: Range): void {
  const { bits, blockSize, offset, dtype, codes, absmax, code, out } = decoding;
  const size = range.to - range.from;
  const blocks = { from: range.from / blockSize, to: Math.ceil(range.to / blockSize) };
  launcher.run({
    kernel: "dequantize",
    text,
    constants: { bits, out_bits: outBits(dtype), is_bfloat16: dtype === "bfloat16" ? 1 : 0 },
    params: params(size, Math.min(blockSize, 0xffffffff), float(offset)),
    reads: [sliceOf(codes, range, bits), sliceOf(absmax, blocks, 32), code],
    writes: [sliceOf(out, range, outBits(dtype))],
    workgroups: Math.ceil((size * bits) / 32 / lanes),
  });
}

const kernelOf = <K extends OpName>(
  shapeOf: (args: Ops[K]["in"]) => Shape,
  launch: (launcher: Launcher, args: Ops[K]["in"], out: Ops[K]["out"]) => void,
  refuse: (args: Ops[K]["in"]) => string | undefined = () => undefined,
): Operation<K> => ({
  kernels: [
    {
      name: "dequantize",
      refuse: (args, traits) => refuse(args) ?? refuseBlocks(shapeOf(args), traits),
      variants: [{ name: "t0", needs: [], launch }],
    },
  ],
});

export const dequantize4bit = kernelOf<"dequantize4bit">(
  ({ weight, dtype }) => ({ size: weight.shape.reduce((a, b) => a * b, 1), blockSize: weight.blockSize, dtype }),
  (launcher, { weight, dtype }, { out }) => {
    const { format, blockSize, codes, code, scales } = weight;
    decode(launcher, {
      bits: 4,
      size: out.size,
      blockSize,
      offset: 0,
      dtype,
      codes: storageOf(codes),
      absmax: storageOf(scales.absmax),
      code: code ? storageOf(code) : launcher.table(format),
      out: storageOf(out),
    });
  },
  ({ weight }) => (weight.scales.kind === "nested" ? "scales are decoded by a kernel of their own." : undefined),
);

export const dequantizeBlockwise = kernelOf<"dequantizeBlockwise">(
  ({ codes, blockSize, dtype }) => ({ size: codes.size, blockSize, dtype }),
  (launcher, { codes, absmax, code, blockSize, offset = 0, dtype }, { out }) =>
    decode(launcher, {
      bits: 8,
      size: out.size,
      blockSize,
      offset,
      dtype,
      codes: storageOf(codes),
      absmax: storageOf(absmax),
      code: storageOf(code),
      out: storageOf(out),
    }),
);
