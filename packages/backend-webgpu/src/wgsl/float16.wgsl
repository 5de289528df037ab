// float16 and bfloat16 bit patterns to float32 and back: widening is exact, narrowing rounds half to even, keeps
// subnormals, overflows to infinity and keeps the upper payload bits of a NaN, made quiet. Needs float32.wgsl.

fn from_bfloat16(half: u32) -> u32 {
  return half << 16u;
}

fn to_bfloat16(bits: u32) -> u32 {
  if (is_nan(bits)) { return (bits >> 16u) | 0x40u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

fn from_float16(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) { return sign | INFINITY | ((magnitude & 0x3ffu) << 13u); }
  if (magnitude >= 0x400u) { return sign | ((magnitude << 13u) + 0x38000000u); }
  if (magnitude == 0u) { return sign; }
  // Subnormal: the leading one moves to the implicit place.
  let shift = countLeadingZeros(magnitude) - 21u;
  return sign | ((113u - shift) << 23u) | (((magnitude << shift) & 0x3ffu) << 13u);
}

fn to_float16(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & ~SIGN;
  if (magnitude > INFINITY) { return sign | 0x7e00u | ((magnitude >> 13u) & 0x3ffu); }
  // Half way from the largest number to the next power of two, and all above.
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  if (magnitude < 0x38800000u) { return sign | to_float16_subnormal(magnitude); }
  let rebased = magnitude - 0x38000000u;
  return sign | ((rebased + 0xfffu + ((rebased >> 13u) & 1u)) >> 13u);
}

fn to_float16_subnormal(magnitude: u32) -> u32 {
  // 25 or more leave less than half of the smallest number.
  let shift = min(126u - (magnitude >> 23u), 25u);
  let mantissa = (magnitude & 0x7fffffu) | LEADING_ONE;
  return round_half_even(mantissa >> shift, mantissa & ((1u << shift) - 1u), 1u << (shift - 1u));
}
