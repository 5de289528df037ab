/** int8VectorwiseQuant and int8VectorwiseDequant: rows to 8-bit codes and back, bit for bit. */
import { type Float, inverse127, type Ops, type Storage, selfTestCase, storageOf, type Tensor } from "@halfbyte/core";
import { float, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, rowRanges, sliceOf } from "../slices.js";
import elementsText from "../wgsl/float_elements.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import codeText from "../wgsl/int8_code.wgsl";
import codesText from "../wgsl/int8_row_codes.wgsl";
import decodeText from "../wgsl/int8_row_decode.wgsl";
import statsText from "../wgsl/int8_row_stats.wgsl";
import { bitsOf, dtypeNumber, lastOf, rowsOf } from "./float-dtype.js";
import { beyond } from "./int8-scale.js";
import type { Launcher, Operation } from "./operation.js";
import { zeroWords } from "./zero-words.js";

const exact = [float32Text, float16Text, elementsText];
const texts = {
  stats: shader([...exact, statsText]),
  codes: shader([...exact, codesText]),
  decode: shader([float32Text, codeText, decodeText]),
};

/** Rows of K elements, of which one takes so many bytes. */
interface Rows {
  readonly rows: number;
  readonly k: number;
  readonly elementBytes: number;
}

/** Slices of the elements and of their codes start at whole words. */
const rangesOf = ({ rows, k, elementBytes }: Rows, pieceBytes: number): Range[] =>
  rowRanges(rows, [k * elementBytes, k], pieceBytes);

const refuseRows = (shape: Rows, pieceBytes: number): string | undefined =>
  rangesOf(shape, pieceBytes).length === 0 || shape.k > pieceBytes
    ? `rows of ${shape.k} elements of ${shape.elementBytes} bytes, up to one that begins at a whole word, ${beyond(pieceBytes)}`
    : undefined;

const elementsOf = ({ from, to }: Range, k: number): Range => ({ from: from * k, to: to * k });

const quantRows = ({ x }: Ops["int8VectorwiseQuant"]["in"]): Rows => ({
  rows: rowsOf(x.shape),
  k: lastOf(x.shape),
  elementBytes: bitsOf(x.dtype) / 8,
});

const dequantRows = ({ q }: Ops["int8VectorwiseDequant"]["in"]): Rows => ({
  rows: rowsOf(q.shape),
  k: lastOf(q.shape),
  elementBytes: 4,
});

/** The bits of the least float32 that is not below the threshold; all ones where nothing is an outlier. */
function leastOutlier(threshold: number): number {
  if (threshold <= 0) return 0xffffffff;
  return float(threshold) + (Math.fround(threshold) < threshold ? 1 : 0);
}

/** Lanes of a row's workgroup: a few elements for each. */
const lanesFor = (k: number): number => Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(k / 4))));

function measure(launcher: Launcher, args: Ops["int8VectorwiseQuant"]["in"], out: Quantized, range: Range): void {
  const { x, threshold, nonFinite } = args;
  const k = lastOf(x.shape);
  const rows = range.to - range.from;
  const fault = launcher.watch(nonFinite, range.from * k);
  launcher.run({
    kernel: "int8_row_stats",
    text: texts.stats,
    constants: { lanes: lanesFor(k), dtype: dtypeNumber[x.dtype] },
    params: params(rows, k, leastOutlier(threshold), fault.index),
    reads: [sliceOf(storageOf(x), elementsOf(range, k), bitsOf(x.dtype))],
    writes: [sliceOf(out.rowStats, range, 32), sliceOf(out.scales, range, 32), out.outlierColumns, fault.storage],
    workgroups: rows,
  });
}

interface Quantized {
  readonly q: Storage;
  readonly rowStats: Storage;
  readonly outlierColumns: Storage;
  /** Of each row, what its elements are multiplied by. */
  readonly scales: Storage;
}

function encode(launcher: Launcher, { x, threshold }: Ops["int8VectorwiseQuant"]["in"], out: Quantized, range: Range) {
  const k = lastOf(x.shape);
  const elements = elementsOf(range, k);
  const size = elements.to - elements.from;
  launcher.run({
    kernel: "int8_row_codes",
    text: texts.codes,
    constants: { dtype: dtypeNumber[x.dtype], has_outliers: threshold > 0 ? 1 : 0 },
    params: params(size, k),
    reads: [sliceOf(storageOf(x), elements, bitsOf(x.dtype)), sliceOf(out.scales, range, 32), out.outlierColumns],
    writes: [sliceOf(out.q, elements, 8)],
    workgroups: Math.ceil(size / 1024),
  });
}

/** All rows are measured before one is encoded: an outlier anywhere clears its column. */
function quantizeRows(
  launcher: Launcher,
  args: Ops["int8VectorwiseQuant"]["in"],
  { q, rowStats, outlierColumns }: Ops["int8VectorwiseQuant"]["out"],
): void {
  const shape = quantRows(args);
  zeroWords(launcher, storageOf(outlierColumns));
  if (shape.rows === 0) return;
  const out = {
    q: storageOf(q),
    rowStats: storageOf(rowStats),
    outlierColumns: storageOf(outlierColumns),
    scales: launcher.scratch(4 * shape.rows),
  };
  const ranges = rangesOf(shape, launcher.traits.pieceBytes);
  for (const range of ranges) measure(launcher, args, out, range);
  if (shape.k > 0) for (const range of ranges) encode(launcher, args, out, range);
}

function decodeRows(
  launcher: Launcher,
  args: Ops["int8VectorwiseDequant"]["in"],
  { out }: Ops["int8VectorwiseDequant"]["out"],
): void {
  if (out.size === 0) return;
  const shape = dequantRows(args);
  for (const range of rangesOf(shape, launcher.traits.pieceBytes)) {
    const elements = elementsOf(range, shape.k);
    const size = elements.to - elements.from;
    launcher.run({
      kernel: "int8_row_decode",
      text: texts.decode,
      constants: {},
      params: params(size, shape.k, float(inverse127)),
      reads: [sliceOf(storageOf(args.q), elements, 8), sliceOf(storageOf(args.rowStats), range, 32)],
      writes: [sliceOf(storageOf(out), elements, 32)],
      workgroups: Math.ceil(size / 1024),
    });
  }
}

/** Rows that share words of 16-bit elements and of codes, with subnormal numbers, zeros and outliers among them. */
const unevenRows = (dtype: Float, threshold: number) =>
  selfTestCase("int8VectorwiseQuant", 0, (backend) => {
    const [rows, k] = [7, 37];
    const bits = Uint32Array.from({ length: rows * k }, (_, i) =>
      unevenBits(Math.floor(i / k), Math.imul(i, 0x9e3779b1)),
    );
    const halves = Uint16Array.from(bits, (word) => word >>> 16);
    const data = dtype === "float32" ? new Uint8Array(bits.buffer) : new Uint8Array(halves.buffer);
    return { x: backend.tensor(dtype, [rows, k], data) as Tensor<Float>, threshold };
  });

/** A float32 of either sign: subnormal in row 0, zero in row 1, about one elsewhere. */
function unevenBits(row: number, random: number): number {
  const sign = (random & 1) << 31;
  if (row === 0) return sign | ((random >>> 4) & 0x7fffff);
  return row === 1 ? sign : sign | (0x3e000000 + ((random >>> 6) & 0x1ffffff));
}

export const int8VectorwiseQuant: Operation<"int8VectorwiseQuant"> = {
  kernels: [
    {
      name: "int8_row_codes",
      refuse: (args, { pieceBytes }) => refuseRows(quantRows(args), pieceBytes),
      variants: [{ name: "t0", needs: [], launch: quantizeRows }],
    },
  ],
  cases: [unevenRows("float32", 0), unevenRows("float32", 1.5), unevenRows("bfloat16", 1.5)],
};

export const int8VectorwiseDequant: Operation<"int8VectorwiseDequant"> = {
  kernels: [
    {
      name: "int8_row_decode",
      refuse: (args, { pieceBytes }) => refuseRows(dequantRows(args), pieceBytes),
      variants: [{ name: "t0", needs: [], launch: decodeRows }],
    },
  ],
};
