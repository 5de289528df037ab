// Floats as bit patterns: what has to be exact is done with integers, because WGSL leaves rounding, subnormals and NaN open.

// The product of two floats, rounded to nearest even, as IEEE 754 has it.
fn multiply_bits(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & 0x80000000u;
  let x = a & 0x7fffffffu;
  let y = b & 0x7fffffffu;
  if (x >= 0x7f800000u || y >= 0x7f800000u) {
    let is_nan = x > 0x7f800000u || y > 0x7f800000u || x == 0u || y == 0u;
    return select(sign | 0x7f800000u, 0x7fc00000u, is_nan);
  }
  if (x == 0u || y == 0u) {
    return sign;
  }
  let m = significand(x);
  let n = significand(y);
  // 24 x 24 bits in halves of 12: the upper and the lower 24 bits of the product.
  let low_part = (m & 0xfffu) * (n & 0xfffu);
  let middle = (m & 0xfffu) * (n >> 12u) + (m >> 12u) * (n & 0xfffu);
  let carried = low_part + ((middle & 0xfffu) << 12u);
  let high = (m >> 12u) * (n >> 12u) + (middle >> 12u) + (carried >> 24u);
  let low = carried & 0xffffffu;
  let exponent = exponent_of(x) + exponent_of(y) - 127;
  if (high >= 0x800000u) {
    return sign | round_to_float(exponent + 1, high, low);
  }
  return sign | round_to_float(exponent, (high << 1u) | (low >> 23u), (low << 1u) & 0xffffffu);
}

// 24 bits, the leading one at bit 23, of subnormals too.
fn significand(magnitude: u32) -> u32 {
  let mantissa = magnitude & 0x7fffffu;
  if (magnitude >= 0x800000u) {
    return mantissa | 0x800000u;
  }
  return mantissa << (countLeadingZeros(mantissa) - 8u);
}

// Biased; below 1 for subnormals.
fn exponent_of(magnitude: u32) -> i32 {
  if (magnitude >= 0x800000u) {
    return i32(magnitude >> 23u);
  }
  return 9 - i32(countLeadingZeros(magnitude));
}

// `mantissa` has its leading one at bit 23; `rest` is the 24 bits below it.
fn round_to_float(exponent: i32, mantissa: u32, rest: u32) -> u32 {
  if (exponent >= 255) {
    return 0x7f800000u;
  }
  if (exponent >= 1) {
    let kept = (u32(exponent) << 23u) | (mantissa & 0x7fffffu);
    let up = rest > 0x800000u || (rest == 0x800000u && (mantissa & 1u) == 1u);
    // A carry goes into the exponent, as it must.
    return kept + select(0u, 1u, up);
  }
  let shift = u32(1 - exponent);
  if (shift > 24u) {
    return 0u;
  }
  let kept = mantissa >> shift;
  let dropped = mantissa & ((1u << shift) - 1u);
  let half = 1u << (shift - 1u);
  let up = dropped > half || (dropped == half && (rest != 0u || (kept & 1u) == 1u));
  return kept + select(0u, 1u, up);
}

fn narrow_to_bfloat16(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return (bits >> 16u) | 0x40u;
  }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

fn narrow_to_float16(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7e00u | ((magnitude >> 13u) & 0x3ffu);
  }
  if (magnitude >= 0x477ff000u) {
    return sign | 0x7c00u;
  }
  if (magnitude >= 0x38800000u) {
    let rebased = magnitude - 0x38000000u;
    return sign | ((rebased + 0xfffu + ((rebased >> 13u) & 1u)) >> 13u);
  }
  let shift = 126u - (magnitude >> 23u);
  if (shift > 24u) {
    return sign;
  }
  let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  let kept = mantissa >> shift;
  let dropped = mantissa & ((1u << shift) - 1u);
  let half = 1u << (shift - 1u);
  return sign | (kept + select(0u, 1u, dropped > half || (dropped == half && (kept & 1u) == 1u)));
}
