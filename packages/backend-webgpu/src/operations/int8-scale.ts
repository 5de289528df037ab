/** Integer sums to floats: what a product's own kernels do at their end, and int8MmDequant. */
import {
  type Float,
  mmDequantConstant,
  type Ops,
  type Profile,
  type Storage,
  storageOf,
  type Tensor,
} from "@halfbyte/core";
import { float, type Operand, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, rowRanges, sliceOf } from "../slices.js";
import elementsText from "../wgsl/float_elements.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import fusedText from "../wgsl/fused_multiply_add.wgsl";
import mmDequantText from "../wgsl/int8_mm_dequant.wgsl";
import scaleText from "../wgsl/int8_scale.wgsl";
import { bitsOf, dtypeNumber, lastOf, rowsOf } from "./float-dtype.js";
import type { Launcher, Operation } from "./operation.js";

/** How the sums of a product become its result. */
export interface Scaling {
  readonly rowStats: Tensor<"float32">;
  readonly colStats: Tensor<"float32">;
  readonly bias?: Tensor<Float>;
  readonly dtype: Float;
  readonly profile?: Profile;
}

/** The texts before one that calls scaled(). */
export const scaleTexts = [float32Text, fusedText, float16Text, elementsText, scaleText];

const noBias = 3;

export const scaleConstants = ({ profile }: Scaling) => ({ is_cuda: profile === "cuda" ? 1 : 0 });

/** 1/127² as the profile writes it, and the dtypes of bias and result: the last words of every kernel that scales. */
export const scaleWords = ({ profile = "reference", bias, dtype }: Scaling): readonly number[] => [
  float(mmDequantConstant[profile]),
  bias ? dtypeNumber[bias.dtype] : noBias,
  dtypeNumber[dtype],
];

/** Statistics of some rows and columns, and the bias of those columns. */
export const scaleOperands = ({ rowStats, colStats, bias }: Scaling, rows: Range, columns: Range): Operand[] => [
  sliceOf(storageOf(rowStats), rows, 32),
  sliceOf(storageOf(colStats), columns, 32),
  bias ? sliceOf(storageOf(bias), columns, bitsOf(bias.dtype)) : sliceOf(storageOf(colStats), columns, 32),
];

export const refuseCpuProfile = ({ profile }: { readonly profile?: Profile }): string | undefined =>
  profile === "cpu" ? 'profile "cpu" exists in the reference kernels only.' : undefined;

const text = shader([...scaleTexts, mmDequantText]);

/** Of sums and results. */
const rangesOf = (rows: number, columns: number, dtype: Float, pieceBytes: number): Range[] =>
  rowRanges(rows, [columns * 4, (columns * bitsOf(dtype)) / 8], pieceBytes);

interface Sums {
  readonly rows: number;
  readonly columns: number;
  readonly a: Storage;
  readonly out: Storage;
}

export function scaleSums(launcher: Launcher, { rows, columns, a, out }: Sums, scaling: Scaling): void {
  const { dtype } = scaling;
  if (rows * columns === 0) return;
  for (const range of rangesOf(rows, columns, dtype, launcher.traits.pieceBytes)) {
    const elements = { from: range.from * columns, to: range.to * columns };
    const size = elements.to - elements.from;
    launcher.run({
      kernel: "int8_mm_dequant",
      text,
      constants: scaleConstants(scaling),
      params: params(size, columns, ...scaleWords(scaling)),
      reads: [sliceOf(a, elements, 32), ...scaleOperands(scaling, range, { from: 0, to: columns })],
      writes: [sliceOf(out, elements, bitsOf(dtype))],
      workgroups: Math.ceil((size * bitsOf(dtype)) / 32 / 256),
    });
  }
}

/** The end of a sentence. */
export const beyond = (pieceBytes: number): string => `do not fit the ${pieceBytes} bytes that are bound at once.`;

const refuseSums = ({ a, dtype }: Ops["int8MmDequant"]["in"], pieceBytes: number): string | undefined =>
  rangesOf(rowsOf(a.shape), lastOf(a.shape), dtype, pieceBytes).length === 0
    ? `rows of ${lastOf(a.shape)} sums, up to one whose result begins at a whole word, ${beyond(pieceBytes)}`
    : undefined;

export const int8MmDequant: Operation<"int8MmDequant"> = {
  kernels: [
    {
      name: "int8_mm_dequant",
      refuse: (args, { pieceBytes }) => refuseCpuProfile(args) ?? refuseSums(args, pieceBytes),
      variants: [{ name: "t0", needs: [], launch }],
    },
  ],
};

function launch(launcher: Launcher, args: Ops["int8MmDequant"]["in"], { out }: Ops["int8MmDequant"]["out"]): void {
  const { shape } = args.a;
  const sums = { rows: rowsOf(shape), columns: lastOf(shape), a: storageOf(args.a), out: storageOf(out) };
  scaleSums(launcher, sums, args);
}
