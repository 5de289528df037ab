/** Single-precision operations that JavaScript lacks. */

/** 1e-38 as f32, the floor upstream puts under a block's absmax. */
export const smallestScale = Math.fround(1e-38);

/** Between −1 and 1; NaN stays NaN. */
export const clampUnit = (value: number): number => (value > 1 ? 1 : value < -1 ? -1 : value);

/**
 * fr(a·b + c) with one rounding. The product of two f32 is exact in float64; the sum is rounded to odd there (Boldo and
 * Melquiond, 2008), so that the second rounding cannot go wrong.
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const other = sum - product;
  const error = product - (sum - other) + (c - other);
  return Math.fround(error === 0 || !Number.isFinite(sum) ? sum : roundToOdd(sum, error));
}

const scratch = new Float64Array(1);
/** Low and high word, little endian. */
const words = new Uint32Array(scratch.buffer);

/** `sum` is nearest to sum + error; the neighbour with an odd last bit carries the information that bits were lost. */
function roundToOdd(sum: number, error: number): number {
  scratch[0] = sum;
  if ((words[0]! & 1) === 1) return sum;
  if (error > 0 === sum > 0) words[0]!++;
  else if (words[0]! > 0) words[0]!--;
  else {
    words[0] = 0xffffffff;
    words[1]!--;
  }
  return scratch[0]!;
}

/** Nearest integer, ties to even. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && (rounded & 1) !== 0 ? rounded - 1 : rounded;
}
