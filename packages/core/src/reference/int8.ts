/** LLM.int8() (arXiv 2208.07339): row-wise quantization with outlier columns, integer product, scaled result. */
import { narrow, widen } from "../dtype.js";
import { inverse127 } from "../formats/int8-rowwise.js";
import type { Profile } from "../kernels.js";
import type { ArrayOf, Float } from "../tensor.js";
import { fusedMultiplyAdd, roundHalfEven } from "./float32.js";

const fr = Math.fround;

/** 1/127² as each profile writes it: rounded; upstream's default path, a digit slip; upstream's CUDA source. */
export const mmDequantConstant: Readonly<Record<Profile, number>> = {
  reference: fr(1 / 127 ** 2),
  cpu: fr(6.200124e-5),
  cuda: fr(6.200012e-5),
};

/** Marks column c when any |x[r, c]| >= threshold; a threshold of 0 marks none. */
export function markOutliers(row: Float32Array, threshold: number, mask: Uint8Array): void {
  if (threshold <= 0) return;
  for (let k = 0; k < row.length; k++) if (Math.abs(row[k]!) >= threshold) mask[k] = 1;
}

/** The largest magnitude of a row, outlier elements left out. */
export function rowAbsmax(row: Float32Array, threshold: number): number {
  let largest = 0;
  for (let k = 0; k < row.length; k++) {
    const magnitude = Math.abs(row[k]!);
    if (magnitude > largest && (threshold <= 0 || magnitude < threshold)) largest = magnitude;
  }
  return largest;
}

/** q = rint(x · fr(fr(1/absmax)·127)), ties to even; outliers and columns in `mask` give 0, and so does a zero row. */
export function quantizeRow(
  row: Float32Array,
  absmax: number,
  threshold: number,
  mask: Uint8Array | undefined,
  q: Int8Array,
): void {
  const scale = fr(fr(1 / absmax) * 127);
  for (let k = 0; k < row.length; k++) {
    const isOutlier = mask?.[k] === 1 || (threshold > 0 && Math.abs(row[k]!) >= threshold);
    const code = isOutlier || absmax === 0 ? 0 : roundHalfEven(fr(row[k]! * scale));
    // Beyond ±127 only when 1/absmax overflows, for rows of subnormal numbers.
    q[k] = code > 127 ? 127 : code < -127 ? -127 : code;
  }
}

/** fr(fr(q · stat) · f32(1/127)). */
export function dequantizeRow(q: Int8Array, stat: number, out: Float32Array): void {
  for (let k = 0; k < q.length; k++) out[k] = fr(fr(q[k]! * stat) * inverse127);
}

/** Σ a·b over int8, exact in int32 for K up to 131 071. */
export function dotInt8(a: Int8Array, aOffset: number, b: Int8Array, bOffset: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += a[aOffset + i]! * b[bOffset + i]!;
  return sum | 0;
}

export interface DequantRow {
  readonly accumulators: Int32Array;
  readonly rowStat: number;
  readonly colStats: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly biasIsFloat16: boolean;
  readonly profile: Profile;
}

/** One row of int8MmDequant, in f32, before it is rounded to the output dtype. */
export function mmDequantRow(job: DequantRow, out: Float32Array): void {
  if (job.profile === "cuda") mmDequantRowCuda(job, out);
  else mmDequantRowPlain(job, out);
}

function mmDequantRowPlain(job: DequantRow, out: Float32Array): void {
  const constant = mmDequantConstant[job.profile];
  for (let n = 0; n < out.length; n++) {
    const scaled = fr(fr(fr(job.accumulators[n]!) * fr(job.rowStat * job.colStats[n]!)) * constant);
    out[n] = job.bias ? fr(scaled + job.bias[n]!) : scaled;
  }
}

/** csrc/kernels.cu stores float16 whatever the output dtype; a float16 bias is fused, another is added to that in place. */
function mmDequantRowCuda(job: DequantRow, out: Float32Array): void {
  const fused = job.bias && job.biasIsFloat16 ? job.bias : undefined;
  for (let n = 0; n < out.length; n++) {
    const product = fr(fr(fr(job.accumulators[n]!) * job.rowStat) * job.colStats[n]!);
    out[n] = fusedMultiplyAdd(product, mmDequantConstant.cuda, fused?.[n] ?? 0);
  }
  roundThrough("float16", out);
  if (!job.bias || fused) return;
  for (let n = 0; n < out.length; n++) out[n]! += job.bias[n]!;
  roundThrough("float16", out);
}

/** Rounds every value to `dtype` and widens it again. */
export function roundThrough(dtype: Float, values: Float32Array): void {
  if (dtype === "float32") return;
  const rounded = new Uint16Array(values.length) as ArrayOf[Float];
  narrow(dtype, values, values.length, rounded, 0);
  widen(dtype, rounded, 0, values.length, values);
}
