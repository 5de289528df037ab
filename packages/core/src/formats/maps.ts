/**
 * The 256-entry maps of blockwise 8-bit quantization, each the formula of bitsandbytes functional.py. torch evaluates
 * linspace in f32 with a fused multiply-add from the nearer end; a product and a sum in float64 with one rounding give the
 * same bits here, because both fit in 53 bits.
 */
import { halfbyteError } from "../errors.js";
import { normalQuantile } from "./normal-quantile.js";

const fr = Math.fround;

/** torch.linspace in f32. */
function linspace(start: number, end: number, count: number): Float32Array {
  const first = fr(start);
  const step = fr((fr(end) - first) / (count - 1));
  const half = count >> 1;
  return Float32Array.from({ length: count }, (_, j) =>
    j < half ? step * j + first : fr(end) - step * (count - 1 - j),
  );
}

/** Sorted and filled up with zeros to 256 entries. */
const padded = (values: readonly number[]): Float32Array =>
  new Float32Array([...values, ...new Array<number>(256 - values.length).fill(0)]).sort();

/** Means of neighbours of `count` points from 0.1 to 1, times a power of ten. */
function decade(power: number, count: number): number[] {
  const points = linspace(0.1, 1, count);
  const scale = fr(10 ** power);
  return Array.from({ length: count - 1 }, (_, i) => fr(scale * (fr(points[i]! + points[i + 1]!) * 0.5)));
}

export interface DynamicMapOptions {
  readonly signed?: boolean;
  /** Decades; the fraction gets a bit more in each. */
  readonly maxExponentBits?: number;
  readonly totalBits?: number;
}

/** Dynamic tree quantization (arXiv 1511.04561; 8-bit optimizers, arXiv 2110.02861): a sign, an exponent of varying length, a linear fraction. */
export function createDynamicMap({
  signed = true,
  maxExponentBits = 7,
  totalBits = 8,
}: DynamicMapOptions = {}): Float32Array {
  const spare = totalBits - 1 - maxExponentBits;
  const values: number[] = [];
  const add = (power: number, count: number) => {
    for (const mean of decade(power, count)) values.push(mean, ...(signed ? [-mean] : []));
  };
  for (let i = 0; i < maxExponentBits; i++)
    add(i - maxExponentBits + 1, Math.trunc(2 ** (i + spare + (signed ? 0 : 1)) + 1));
  if (2 ** spare - 1 > 0) add(0, 2 ** spare);
  values.push(0, 1);
  if (values.length !== 2 ** totalBits) throw invalidMap("dynamic", `${values.length} values for ${totalBits} bits`);
  return padded(values);
}

export interface LinearMapOptions {
  readonly signed?: boolean;
  readonly totalBits?: number;
  /** Give up one value so that zero is exact. */
  readonly addZero?: boolean;
}

/** Equally spaced values from −1 (signed) or 0 to 1; fewer than 256 are spread around zeros in the middle. */
export function createLinearMap({ signed = true, totalBits = 8, addZero = true }: LinearMapOptions = {}): Float32Array {
  const count = 2 ** totalBits - (signed && (addZero || totalBits < 8) ? 1 : 0);
  const values = linspace(signed ? -1 : 0, 1, count);
  const out = new Float32Array(256);
  const lower = count === 256 ? 256 : count >> 1;
  out.set(values.subarray(0, lower));
  out.set(values.subarray(lower), 256 - (count - lower));
  return out;
}

export interface Fp8MapOptions {
  readonly signed?: boolean;
  readonly exponentBits?: number;
  readonly precisionBits?: number;
  readonly totalBits?: number;
}

/** Every value of a small float with the given field widths, sorted and divided by the largest. */
export function createFp8Map({
  signed = true,
  exponentBits = 5,
  precisionBits = 2,
  totalBits = 8,
}: Fp8MapOptions = {}): Float32Array {
  if (exponentBits + precisionBits + (signed ? 1 : 0) !== totalBits)
    throw invalidMap("fp8", "field widths do not add up to totalBits");
  const bias = 2 ** (exponentBits - 1);
  const values: number[] = [];
  for (let exponent = 0; exponent < 2 ** exponentBits; exponent++) {
    for (let field = 0; field < 2 ** precisionBits; field++) {
      const fraction = field / 2 ** precisionBits;
      const value = exponent === 0 ? fraction * 2 ** -bias : (1 + fraction) * 2 ** -(exponent - bias - 1);
      values.push(value, ...(signed ? [-value] : []));
    }
  }
  const code = padded(values.map((value) => value + 0));
  const largest = code[255]!;
  return code.map((value) => value / largest);
}

export interface NormalMapOptions {
  readonly offset?: number;
  /** 8 positive and 7 negative values (15), not 7 and 7. */
  readonly useExtraValue?: boolean;
}

/** Quantiles of the normal distribution, the construction behind NF4 (arXiv 2305.14314), padded with zeros to 256 entries. */
export function createNormalMap({ offset = 0.9677083, useExtraValue = true }: NormalMapOptions = {}): Float32Array {
  const quantiles = (count: number) => [...linspace(offset, 0.5, count).subarray(0, count - 1)].map(normalQuantile);
  const code = padded([...quantiles(useExtraValue ? 9 : 8), ...quantiles(8).map((value) => -value)]);
  const largest = code[255]!;
  return code.map((value) => value / largest);
}

const invalidMap = (map: string, why: string): Error =>
  halfbyteError("INVALID_ARGUMENT", `No ${map} map of this kind exists: ${why}.`);
