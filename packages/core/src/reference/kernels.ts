/** The reference kernel of every operation: it binds the arrays of the arguments to the loops of the neighbouring files. */
import { narrow, toFloat32, widen } from "../dtype.js";
import { nonFiniteInput } from "../errors.js";
import { blockCount } from "../formats/format.js";
import { getFormat } from "../formats/index.js";
import { errorSums, type OpName, type Ops } from "../kernels.js";
import type { QuantizedTensor, Scales } from "../quantized-tensor.js";
import { lastOf, rowsOf } from "../shape.js";
import type { ArrayOf, Float, Tensor } from "../tensor.js";
import { BlockReader } from "./block-scale.js";
import { type Decode, decodeBlockwise, decoderOf, storeDecoded } from "./dequantize.js";
import { type HostKernel, type HostWork, hostArray } from "./device.js";
import { type Gemm, gemmPhases, transposedGemmPhases } from "./gemm.js";
import { dequantizeRow, dotInt8, markOutliers, mmDequantRow, quantizeRow, roundThrough, rowAbsmax } from "./int8.js";
import { update8bitPhases, update32bitPhases } from "./optimizer.js";
import { segmentMeter } from "./quantization-error.js";
import { type BlockQuantizer, quantizer4bit, quantizerBlockwise } from "./quantize.js";
import type { Phase } from "./slice-queue.js";

const phase = (rows: number, rowCost: number, run: Phase["run"]): Phase => ({ rows, rowCost, run });
const floats = (tensor: Tensor<Float>): ArrayOf[Float] => hostArray(tensor);

/** A tensor as f32: the storage itself, or a copy that its phase fills in slices. */
function widened(tensor: Tensor<Float>): { values: Float32Array; phases: Phase[] } {
  const { dtype } = tensor;
  if (dtype === "float32") return { values: hostArray(tensor as Tensor<"float32">), phases: [] };
  const [source, values] = [floats(tensor), new Float32Array(tensor.size)];
  const run = (begin: number, end: number) => widen(dtype, source, begin, end, values.subarray(begin, end));
  return { values, phases: [phase(tensor.size, 1, run)] };
}

/** A bias as f32; it is small. */
const widenedBias = (bias: Tensor<Float>): Float32Array => toFloat32(bias.dtype, floats(bias));

/** Elementary steps of quantizing one element. */
const quantizeCost = 4;

function quantizeWork(reader: BlockReader, quantizer: BlockQuantizer): HostWork {
  const blocks = blockCount(reader.data.length, reader.blockSize);
  return {
    phases: [phase(blocks, reader.blockSize * quantizeCost, quantizer.run)],
    check: () => rejectNonFinite(reader.firstNonFinite),
  };
}

function rejectNonFinite(index: number): void {
  if (index >= 0) throw nonFiniteInput(index);
}

const quantize4bit: HostKernel<"quantize4bit"> = (
  { x, format, blockSize, profile = "reference", nonFinite = "error" },
  { codes, absmax },
) => {
  const reader = new BlockReader(floats(x), x.dtype, blockSize, nonFinite);
  return quantizeWork(reader, quantizer4bit(reader, getFormat(format), profile, hostArray(codes), hostArray(absmax)));
};

const quantizeBlockwise: HostKernel<"quantizeBlockwise"> = (
  { x, code, blockSize, profile = "reference", nonFinite = "error" },
  { codes, absmax },
) => {
  const reader = new BlockReader(floats(x), x.dtype, blockSize, nonFinite);
  return quantizeWork(
    reader,
    quantizerBlockwise(reader, hostArray(code), profile, hostArray(codes), hostArray(absmax)),
  );
};

/** f32 block scales; nested ones are decoded first. */
function blockScales(scales: Scales): { absmax: Float32Array; phases: Phase[] } {
  if (scales.kind !== "nested") return { absmax: hostArray(scales.absmax), phases: [] };
  const codes = hostArray(scales.absmax);
  const absmax = new Float32Array(codes.length);
  const [outer, code] = [hostArray(scales.nestedAbsmax), hostArray(scales.nestedCode)];
  const run = (begin: number, end: number) =>
    decodeBlockwise(codes, outer, code, scales.nestedBlockSize, begin, end, absmax.subarray(begin, end), scales.offset);
  return { absmax, phases: [phase(codes.length, 2, run)] };
}

/** The decoder of a weight's flat elements, and what must run before it. */
function decodable({ shape, codes, code, format, blockSize, scales }: QuantizedTensor) {
  const { absmax, phases } = blockScales(scales);
  const table = code ? hostArray(code) : getFormat(format).code;
  return {
    decode: decoderOf({ shape, codes: hostArray<"uint8" | "int8">(codes), code: table, blockSize }, absmax),
    phases,
  };
}

const dequantize4bit: HostKernel<"dequantize4bit"> = ({ weight, dtype }, { out }) => {
  const { decode, phases } = decodable(weight);
  const store = (begin: number, end: number) => storeDecoded(dtype, begin, end, floats(out), decode);
  return { phases: [...phases, phase(out.size, 2, store)] };
};

const dequantizeBlockwise: HostKernel<"dequantizeBlockwise"> = (
  { codes, absmax, code, blockSize, offset = 0, dtype },
  { out },
) => {
  const [bytes, scales, table] = [hostArray(codes), hostArray(absmax), hostArray(code)];
  const decode = (begin: number, end: number, piece: Float32Array) =>
    decodeBlockwise(bytes, scales, table, blockSize, begin, end, piece, offset);
  return { phases: [phase(out.size, 2, (begin, end) => storeDecoded(dtype, begin, end, floats(out), decode))] };
};

/** Elementary steps of comparing one element. */
const errorCost = 4;

const quantizationError: HostKernel<"quantizationError"> = ({ x, weight }, { sums }) => {
  const { decode, phases } = decodable(weight);
  const values = floats(x);
  const original: Decode = (begin, end, out) => widen(x.dtype, values, begin, end, out);
  const measure = segmentMeter(x.size, original, decode, hostArray(sums));
  return { phases: [...phases, phase(sums.shape[0]!, errorSums.segment * errorCost, measure)] };
};

/** x[.., K] · W[N, K]ᵀ + bias, or x[.., N] · W[N, K] when transposed. */
function gemmWork(
  { x, weight, bias, transpose = false }: GemmArgs,
  out: Tensor<Float>,
  weightRow: Gemm["weightRow"],
): Phase[] {
  const { values, phases } = widened(x);
  const [n, k] = [weight.shape[0]!, weight.shape[1]!];
  const shape = { x: values, weightRow, m: rowsOf(x.shape), n, k, dtype: out.dtype, out: floats(out) };
  const job: Gemm = bias ? { ...shape, bias: widenedBias(bias) } : shape;
  return [...phases, ...(transpose ? transposedGemmPhases(job) : gemmPhases(job))];
}

interface GemmArgs {
  readonly x: Tensor<Float>;
  readonly weight: { readonly shape: readonly number[] };
  readonly bias?: Tensor<Float>;
  readonly transpose?: boolean;
}

const gemm4bit: HostKernel<"gemm4bit"> = (args, { out }) => {
  const { decode, phases } = decodable(args.weight);
  const k = lastOf(args.weight.shape);
  return { phases: [...phases, ...gemmWork(args, out, (n, row) => decode(n * k, (n + 1) * k, row))] };
};

const gemm: HostKernel<"gemm"> = (args, { out }) => {
  const { dtype, shape } = args.weight;
  const values = floats(args.weight);
  const k = lastOf(shape);
  return { phases: gemmWork(args, out, (n, row) => widen(dtype, values, n * k, (n + 1) * k, row)) };
};

const int8VectorwiseQuant: HostKernel<"int8VectorwiseQuant"> = (
  { x, threshold, nonFinite = "error" },
  { q, rowStats, outlierColumns },
) => {
  const [rows, k] = [rowsOf(x.shape), lastOf(x.shape)];
  const reader = new BlockReader(floats(x), x.dtype, k, nonFinite);
  const [codes, stats, mask] = [hostArray(q), hostArray(rowStats), hostArray(outlierColumns)];
  const measure = (begin: number, end: number) => {
    for (let r = begin; r < end; r++) {
      reader.load(r);
      markOutliers(reader.values, threshold, mask);
      stats[r] = rowAbsmax(reader.values, threshold);
    }
  };
  const columns = rows > 1 ? mask : undefined;
  const encode = (begin: number, end: number) => {
    for (let r = begin; r < end; r++) {
      reader.load(r);
      quantizeRow(reader.values, stats[r]!, threshold, columns, codes.subarray(r * k, (r + 1) * k));
    }
  };
  const clear = phase(1, k, () => mask.fill(0));
  const phases = [clear, phase(rows, k * 2, measure), phase(rows, k * quantizeCost, encode)];
  return { phases, check: () => rejectNonFinite(reader.firstNonFinite) };
};

const int8VectorwiseDequant: HostKernel<"int8VectorwiseDequant"> = ({ q, rowStats }, { out }) => {
  const k = lastOf(q.shape);
  const [codes, stats, values] = [hostArray(q), hostArray(rowStats), hostArray(out)];
  const run = (begin: number, end: number) => {
    for (let r = begin; r < end; r++)
      dequantizeRow(codes.subarray(r * k, (r + 1) * k), stats[r]!, values.subarray(r * k, (r + 1) * k));
  };
  return { phases: [phase(rowsOf(q.shape), k, run)] };
};

const int8LinearMatmul: HostKernel<"int8LinearMatmul"> = ({ a, b }, { out }) => {
  const [n, k] = [b.shape[0]!, lastOf(b.shape)];
  const [left, right, sums] = [hostArray(a), hostArray(b), hostArray(out)];
  const run = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) sums[i] = dotInt8(left, Math.floor(i / n) * k, right, (i % n) * k, k);
  };
  return { phases: [phase(out.size, k, run)] };
};

type MmDequantArgs = Pick<Ops["int8MmDequant"]["in"], "rowStats" | "colStats" | "bias" | "profile">;

/** Rows of the scaled product, f32, before rounding to the output dtype. */
function scaledRow({ rowStats, colStats, bias, profile = "reference" }: MmDequantArgs) {
  const [stats, columns, addend] = [hostArray(rowStats), hostArray(colStats), bias ? widenedBias(bias) : undefined];
  return (r: number, accumulators: Int32Array, out: Float32Array) =>
    mmDequantRow(
      {
        accumulators,
        rowStat: stats[r]!,
        colStats: columns,
        bias: addend,
        biasIsFloat16: bias?.dtype === "float16",
        profile,
      },
      out,
    );
}

const int8MmDequant: HostKernel<"int8MmDequant"> = (args, { out }) => {
  const n = lastOf(args.a.shape);
  const sums = hostArray(args.a);
  const scale = scaledRow(args);
  const row = new Float32Array(n);
  const run = (begin: number, end: number) => {
    for (let r = begin; r < end; r++) {
      scale(r, sums.subarray(r * n, (r + 1) * n), row);
      narrow(args.dtype, row, n, floats(out), r * n);
    }
  };
  return { phases: [phase(rowsOf(args.a.shape), n * 3, run)] };
};

/** Row by row: integer product, scaled result, an optional correction, one rounding to the output dtype. */
function scaledProduct(
  args: MmDequantArgs & { a: Tensor<"int8">; b: Tensor<"int8"> },
  out: Tensor<Float>,
  correct?: (r: number, row: Float32Array) => void,
): HostWork {
  const [n, k] = [args.b.shape[0]!, lastOf(args.b.shape)];
  const [a, b] = [hostArray(args.a), hostArray(args.b)];
  const scale = scaledRow(args);
  const [sums, row] = [new Int32Array(n), new Float32Array(n)];
  const run = (begin: number, end: number) => {
    for (let r = begin; r < end; r++) {
      for (let c = 0; c < n; c++) sums[c] = dotInt8(a, r * k, b, c * k, k);
      scale(r, sums, row);
      correct?.(r, row);
      narrow(out.dtype, row, n, floats(out), r * n);
    }
  };
  return { phases: [phase(rowsOf(args.a.shape), n * k, run)] };
}

const int8ScaledMm: HostKernel<"int8ScaledMm"> = (args, { out }) => scaledProduct(args, out);

/** The outlier columns of x times the decoded weight are added to the int8 part, which upstream has rounded to x's dtype by then. */
const int8MixedScaledMm: HostKernel<"int8MixedScaledMm"> = (args, { out }) => {
  const { x, b, colStats, outlierColumns } = args;
  const [n, k] = [b.shape[0]!, lastOf(b.shape)];
  const { values, phases } = widened(x);
  const [codes, stats] = [hostArray(b), hostArray(colStats)];
  const columns = [...hostArray(outlierColumns).keys()].filter((c) => hostArray(outlierColumns)[c] === 1);
  const weight = new Float32Array(k);
  const correct = (r: number, row: Float32Array) => {
    roundThrough(x.dtype, row);
    for (let c = 0; c < n; c++) {
      dequantizeRow(codes.subarray(c * k, (c + 1) * k), stats[c]!, weight);
      roundThrough(x.dtype, weight);
      let sum = 0;
      for (const column of columns) sum += values[r * k + column]! * weight[column]!;
      row[c] = row[c]! + sum;
    }
  };
  const product = scaledProduct(args, out, columns.length > 0 ? correct : undefined);
  return { phases: [...phases, ...product.phases] };
};

const optimizerUpdate32bit: HostKernel<"optimizerUpdate32bit"> = (
  { optimizer, param, grad, state1, state2, step, profile = "reference" },
  { updateNorm },
) => {
  const { values, phases } = widened(grad);
  const job = { optimizer, step, profile, dtype: param.dtype, param: floats(param), grad: values };
  const states = { state1: hostArray(state1), state2: state2 && hostArray(state2) };
  return { phases: [...phases, ...update32bitPhases(job, states, hostArray(updateNorm))] };
};

const optimizerUpdate8bitBlockwise: HostKernel<"optimizerUpdate8bitBlockwise"> = (args) => {
  const { optimizer, param, grad, step, profile = "reference", blockSize, state2, code2, absmax2 } = args;
  const { values, phases } = widened(grad);
  const job = { optimizer, step, profile, dtype: param.dtype, param: floats(param), grad: values };
  const states = {
    state1: hostArray(args.state1),
    code1: hostArray(args.code1),
    absmax1: hostArray(args.absmax1),
    state2: state2 && hostArray(state2),
    code2: code2 && hostArray(code2),
    absmax2: absmax2 && hostArray(absmax2),
    blockSize,
  };
  return { phases: [...phases, ...update8bitPhases(job, states)] };
};

export const referenceKernels: { readonly [K in OpName]: HostKernel<K> } = {
  quantize4bit,
  dequantize4bit,
  quantizeBlockwise,
  dequantizeBlockwise,
  quantizationError,
  gemm4bit,
  gemm,
  int8VectorwiseQuant,
  int8VectorwiseDequant,
  int8LinearMatmul,
  int8MmDequant,
  int8ScaledMm,
  int8MixedScaledMm,
  optimizerUpdate32bit,
  optimizerUpdate8bitBlockwise,
};
