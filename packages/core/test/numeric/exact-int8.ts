/** LLM.int8() on bit patterns: row quantization and the scaling of integer products. */
import type { Profile } from "@halfbyte/core";
import * as exact from "./exact.js";

const of127 = exact.fromInteger(127);

/** rint(fr(a · fr(fr(1/absmax) · 127))), ties to even; beyond ±127 only where 1/absmax overflows. */
export function quantizeRow(row: readonly number[], absmax: number): number[] {
  const scale = exact.multiply(exact.reciprocal(absmax), of127);
  return row.map((bits) => (absmax === 0 ? 0 : integerCode(exact.multiply(bits, scale))));
}

function integerCode(scaled: number): number {
  if (exact.isNaN32(scaled)) return 0;
  if (exact.magnitude(scaled) >= of127) return exact.orderOf(scaled) > 0 ? 127 : -127;
  return Number(exact.rint(scaled));
}

/** fr(fr(q · stat) · f32(1/127)), the constant as upstream writes it. */
export const dequantize = (q: number, stat: number): number =>
  exact.multiply(exact.multiply(exact.fromInteger(q), stat), exact.fromDecimal("7.874015718698502e-3"));

const constants: Record<Profile, number> = {
  reference: exact.round(exact.rational(1n, 127n * 127n)),
  cpu: exact.fromDecimal("6.200124e-05"),
  cuda: exact.fromDecimal("6.200012e-05"),
};

export interface Product {
  readonly accumulator: number;
  readonly rowStat: number;
  readonly colStat: number;
  readonly bias?: number;
  readonly biasIsFloat16?: boolean;
}

const float16RoundTrip = (bits: number): number =>
  exact.widenFrom(exact.binary16, exact.narrowTo(exact.binary16, bits));

/** The scaled product as binary32, before it is rounded to the output dtype. */
export function mmDequant(product: Product, profile: Profile): number {
  return profile === "cuda" ? mmDequantCuda(product) : mmDequantTorch(product, constants[profile]);
}

function mmDequantTorch({ accumulator, rowStat, colStat, bias }: Product, constant: number): number {
  const sum = exact.fromInteger(accumulator);
  const scaled = exact.multiply(exact.multiply(sum, exact.multiply(rowStat, colStat)), constant);
  return bias === undefined ? scaled : exact.add(scaled, bias);
}

/** One fused multiply-add and a float16 result; a bias of another dtype is added to that, in place. */
function mmDequantCuda({ accumulator, rowStat, colStat, bias, biasIsFloat16 = false }: Product): number {
  const scaled = exact.multiply(exact.multiply(exact.fromInteger(accumulator), rowStat), colStat);
  const fused = bias !== undefined && biasIsFloat16 ? bias : 0;
  const stored = float16RoundTrip(exact.multiplyAdd(scaled, constants.cuda, fused));
  return bias === undefined || biasIsFloat16 ? stored : float16RoundTrip(exact.add(stored, bias));
}
