/**
 * A second implementation of IEEE arithmetic: bit patterns in, bit patterns out, exact rationals of BigInt in between, and
 * one rounding to nearest even. It knows nothing of Math.fround and multiplies or divides no floating-point numbers, so that
 * a rounding forgotten by the reference kernels cannot be forgotten here too.
 */

export interface FloatFormat {
  readonly mantissaBits: number;
  readonly exponentBits: number;
}

export const binary32: FloatFormat = { mantissaBits: 23, exponentBits: 8 };
export const binary16: FloatFormat = { mantissaBits: 10, exponentBits: 5 };
export const brain16: FloatFormat = { mantissaBits: 7, exponentBits: 8 };

/** sign · numerator / denominator, numerator >= 0; the sign of zero counts. */
export interface Rational {
  readonly negative: boolean;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const rational = (numerator: bigint, denominator = 1n): Rational => ({
  negative: numerator < 0n,
  numerator: numerator < 0n ? -numerator : numerator,
  denominator,
});

export const infinity = (format: FloatFormat = binary32): number =>
  ((1 << format.exponentBits) - 1) << format.mantissaBits;
const signBit = (format: FloatFormat): number => 2 ** (format.mantissaBits + format.exponentBits);

/** The pattern without its sign. */
export const magnitude = (bits: number, format: FloatFormat = binary32): number => bits & (signBit(format) - 1);
export const isNaN32 = (bits: number): boolean => magnitude(bits) > infinity();
const isInfinite = (bits: number): boolean => magnitude(bits) === infinity();
const isZero = (bits: number): boolean => magnitude(bits) === 0;
const isNegative = (bits: number): boolean => bits >>> 31 === 1;

export const nan32 = 0x7fc00000;
export const one32 = 0x3f800000;
export const negate32 = (bits: number): number => (bits ^ 0x80000000) >>> 0;

/** A number that sorts and compares as the value of a pattern does; both zeros are equal. */
export const orderOf = (bits: number): number => (isNegative(bits) ? 0 - magnitude(bits) : bits);

/** Exponent of the last place of subnormal numbers: −149 for binary32. */
const smallestExponent = ({ mantissaBits, exponentBits }: FloatFormat): number =>
  2 - (1 << (exponentBits - 1)) - mantissaBits;

/** The value of a finite pattern. */
export function decode(bits: number, format: FloatFormat = binary32): Rational {
  const pattern = magnitude(bits, format);
  if (pattern >= infinity(format)) throw new RangeError(`0x${bits.toString(16)} is not finite`);
  const field = pattern >> format.mantissaBits;
  const fraction = pattern & ((1 << format.mantissaBits) - 1);
  const mantissa = BigInt(field === 0 ? fraction : fraction + (1 << format.mantissaBits));
  const exponent = smallestExponent(format) + Math.max(field, 1) - 1;
  const negative = bits !== pattern;
  return exponent < 0
    ? { negative, numerator: mantissa, denominator: 1n << BigInt(-exponent) }
    : { negative, numerator: mantissa << BigInt(exponent), denominator: 1n };
}

/** Number of binary digits of a positive integer. */
function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex.slice(0, 1), 16)) + 28;
}

/** floor(log2(value)) of a positive rational. */
function floorLog2({ numerator, denominator }: Rational): number {
  const guess = bitLength(numerator) - bitLength(denominator);
  const reaches = guess < 0 ? numerator << BigInt(-guess) >= denominator : numerator >= denominator << BigInt(guess);
  return reaches ? guess : guess - 1;
}

/** numerator / denominator to the nearest integer, ties to even. */
function nearestEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator - quotient * denominator);
  return twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

/** The pattern nearest to a value: ties to even, subnormal numbers kept, overflow to infinity. */
export function round(value: Rational, format: FloatFormat = binary32): number {
  const sign = value.negative ? signBit(format) : 0;
  if (value.numerator === 0n) return sign;
  const smallest = smallestExponent(format);
  const unit = Math.max(floorLog2(value) - format.mantissaBits, smallest);
  const scaled = unit < 0 ? value.numerator << BigInt(-unit) : value.numerator;
  const places = nearestEven(scaled, unit > 0 ? value.denominator << BigInt(unit) : value.denominator);
  // A carry out of the mantissa lands in the exponent field, where it belongs.
  const pattern = (unit - smallest) * 2 ** format.mantissaBits + Number(places);
  return sign + Math.min(pattern, infinity(format));
}

/** Integer nearest to a finite pattern, ties to even. */
export function rint(bits: number): bigint {
  const { negative, numerator, denominator } = decode(bits);
  const whole = nearestEven(numerator, denominator);
  return negative ? -whole : whole;
}

/** Integer part of a finite pattern. */
export function truncate(bits: number): number {
  const { negative, numerator, denominator } = decode(bits);
  const whole = Number(numerator / denominator);
  return negative ? -whole : whole;
}

const withSign = (pattern: number, negative: boolean): number => (negative ? negate32(pattern) : pattern);

export function multiply(a: number, b: number): number {
  if (isNaN32(a) || isNaN32(b)) return nan32;
  const negative = isNegative(a) !== isNegative(b);
  if (isInfinite(a) || isInfinite(b)) return isZero(a) || isZero(b) ? nan32 : withSign(infinity(), negative);
  return round(product(decode(a), decode(b)));
}

const product = (x: Rational, y: Rational): Rational => ({
  negative: x.negative !== y.negative,
  numerator: x.numerator * y.numerator,
  denominator: x.denominator * y.denominator,
});

export function divide(a: number, b: number): number {
  if (isNaN32(a) || isNaN32(b) || (isZero(a) && isZero(b)) || (isInfinite(a) && isInfinite(b))) return nan32;
  const negative = isNegative(a) !== isNegative(b);
  if (isInfinite(a) || isZero(b)) return withSign(infinity(), negative);
  if (isInfinite(b)) return withSign(0, negative);
  const [x, y] = [decode(a), decode(b)];
  return round({ negative, numerator: x.numerator * y.denominator, denominator: x.denominator * y.numerator });
}

export const reciprocal = (bits: number): number => divide(one32, bits);

const signed = (value: Rational): bigint => (value.negative ? -value.numerator : value.numerator);

/** Exact sum; a sum of zeros is −0 only when both are. */
export function sum(x: Rational, y: Rational): Rational {
  const total = signed(x) * y.denominator + signed(y) * x.denominator;
  const exact = rational(total, x.denominator * y.denominator);
  return total === 0n && x.negative && y.negative && x.numerator === 0n ? { ...exact, negative: true } : exact;
}

/** Sum of a number and a finite one. */
export const add = (a: number, b: number): number =>
  isInfinite(a) || isNaN32(a) ? a : round(sum(decode(a), decode(b)));

/** a · b + c of finite numbers with one rounding. */
export const multiplyAdd = (a: number, b: number, c: number): number =>
  round(sum(product(decode(a), decode(b)), decode(c)));

/** (a + b) / 2 of finite numbers. */
export function midpoint(a: number, b: number): number {
  const exact = sum(decode(a), decode(b));
  return round({ ...exact, denominator: exact.denominator * 2n });
}

/** A pattern of a narrower format as binary32; not for NaN. */
export function widenFrom(format: FloatFormat, bits: number): number {
  const overflowed = magnitude(bits, format) === infinity(format);
  return overflowed ? withSign(infinity(), bits !== magnitude(bits, format)) : round(decode(bits, format));
}

/** An integer as binary32. */
export const fromInteger = (value: number): number => round(rational(BigInt(value)));

/** A decimal numeral such as "6.200012e-05" as binary32. */
export function fromDecimal(text: string): number {
  const [digits = "", exponent = "0"] = text.split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  const power = Number(exponent) - fraction.length;
  // A minus sign in front of "0" is carried along with the fraction.
  const mantissa = BigInt(whole + fraction);
  return round(power < 0 ? rational(mantissa, 10n ** BigInt(-power)) : rational(mantissa * 10n ** BigInt(power)));
}

/** A binary32 pattern rounded to a narrower format; NaN keeps its upper payload bits and becomes quiet. */
export function narrowTo(format: FloatFormat, bits: number): number {
  const dropped = 23 - format.mantissaBits;
  const sign = isNegative(bits) ? signBit(format) : 0;
  if (isInfinite(bits)) return sign + infinity(format);
  if (!isNaN32(bits)) return round(decode(bits), format);
  const payload = (bits & 0x7fffff) >> dropped;
  return sign + (infinity(format) | (1 << (format.mantissaBits - 1)) | payload);
}
