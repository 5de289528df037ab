/**
 * float16 and bfloat16 as bit patterns (Node 20 has no Float16Array). Widening is exact; narrowing rounds to nearest even,
 * keeps subnormals, overflows to infinity, and keeps the upper payload bits of a NaN, made quiet — as the x86 and Arm
 * conversion instructions do. Bits, not numbers, are moved, because a NaN's payload may be lost when it becomes a number.
 */

const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

function widenFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal: move the leading one to the implicit place.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

let float16Table: Uint32Array | undefined;
/** All 65 536 widened bit patterns; built on first use. */
function widenedFloat16(): Uint32Array {
  float16Table ??= Uint32Array.from({ length: 65536 }, (_, half) => widenFloat16(half));
  return float16Table;
}

export function float16ToFloat32(halves: Uint16Array, begin: number, end: number, out: Float32Array): void {
  const table = widenedFloat16();
  const bits = bitsOf(out);
  for (let i = begin; i < end; i++) bits[i - begin] = table[halves[i]!]!;
}

export function bfloat16ToFloat32(halves: Uint16Array, begin: number, end: number, out: Float32Array): void {
  const bits = bitsOf(out);
  for (let i = begin; i < end; i++) bits[i - begin] = halves[i]! << 16;
}

function narrowToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >> 13) & 0x3ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13);
  }
  return sign | roundSubnormal(magnitude);
}

/** The float16 mantissa of a magnitude below 2^-14, rounded to nearest even; a carry gives the smallest normal number. */
function roundSubnormal(magnitude: number): number {
  const shift = 126 - (magnitude >> 23);
  if (shift > 24) return 0;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >> shift;
  const dropped = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return kept + (dropped > half || (dropped === half && (kept & 1) === 1) ? 1 : 0);
}

export function float32ToFloat16(values: Float32Array, count: number, out: Uint16Array, offset: number): void {
  const bits = bitsOf(values);
  for (let i = 0; i < count; i++) out[offset + i] = narrowToFloat16(bits[i]!);
}

export function float32ToBfloat16(values: Float32Array, count: number, out: Uint16Array, offset: number): void {
  const bits = bitsOf(values);
  for (let i = 0; i < count; i++) {
    const word = bits[i]!;
    const notANumber = (word & 0x7fffffff) > 0x7f800000;
    out[offset + i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}
