// a * b + c with one rounding, half to even, by integers. Needs float32.wgsl.

// (high * 2^32 + low) * 2^exponent, the leading one in bit 30 of `high`. All of a product, with 15 bits to spare.
struct Wide {
  high: u32,
  low: u32,
  exponent: i32,
}

fn fused_multiply_add(a: u32, b: u32, c: u32) -> u32 {
  let rounded = product(a, b);
  let is_zero = min(a & ~SIGN, b & ~SIGN) == 0u;
  // A product that is exact, or not a number: nothing is rounded before the sum.
  if (is_zero || max(a & ~SIGN, b & ~SIGN) >= INFINITY) { return sum(rounded, c); }
  if ((c & ~SIGN) >= INFINITY) { return sum(c, 0u); }
  if ((c & ~SIGN) == 0u) { return rounded; }
  return wide_sum(wide_product(unpack(a & ~SIGN), unpack(b & ~SIGN)), (a ^ b) & SIGN, wide(unpack(c & ~SIGN)), c & SIGN);
}

fn wide(a: Unpacked) -> Wide {
  return Wide(a.mantissa << 7u, 0u, a.exponent - 189);
}

fn wide_product(a: Unpacked, b: Unpacked) -> Wide {
  let exact = mantissa_product(a.mantissa, b.mantissa);
  let high = exact.high >> 8u;
  let low = (exact.high << 24u) | exact.low;
  let shift = countLeadingZeros(high) - 1u;
  return Wide((high << shift) | (low >> (32u - shift)), low << shift, a.exponent + b.exponent - 300 - i32(shift));
}

fn wide_sum(a: Wide, sign_of_a: u32, b: Wide, sign_of_b: u32) -> u32 {
  if (is_below(a, b)) { return sum_in_order(b, sign_of_b, a, sign_of_a); }
  return sum_in_order(a, sign_of_a, b, sign_of_b);
}

fn is_below(a: Wide, b: Wide) -> bool {
  if (a.exponent != b.exponent) { return a.exponent < b.exponent; }
  return a.high < b.high || (a.high == b.high && a.low < b.low);
}

fn sum_in_order(large: Wide, sign: u32, small: Wide, sign_of_small: u32) -> u32 {
  let addend = shifted_right(small, u32(large.exponent - small.exponent));
  if (sign == sign_of_small) {
    let low = large.low + addend.low;
    return sign | pack_wide(large.high + addend.high + u32(low < addend.low), low, large.exponent);
  }
  let high = large.high - addend.high - u32(large.low < addend.low);
  let low = large.low - addend.low;
  if ((high | low) == 0u) { return 0u; }
  return sign | pack_wide(high, low, large.exponent);
}

// What is shifted out is seen in the last bit.
fn shifted_right(a: Wide, count: u32) -> Wide {
  if (count == 0u) { return a; }
  if (count >= 64u) { return Wide(0u, 1u, 0); }
  let shift = count & 31u;
  let below = (1u << shift) - 1u;
  if (count >= 32u) { return Wide(0u, (a.high >> shift) | u32(((a.high & below) | a.low) != 0u), 0); }
  return Wide(a.high >> shift, (a.high << (32u - shift)) | (a.low >> shift) | u32((a.low & below) != 0u), 0);
}

// Not zero.
fn pack_wide(high: u32, low: u32, exponent: i32) -> u32 {
  if (high == 0u) { return pack_integer(low, exponent); }
  let shift = countLeadingZeros(high);
  // A shift by 32 is none in WGSL: in two steps.
  let top = (high << shift) | ((low >> 1u) >> (31u - shift));
  let rest = low << shift;
  let dropped = ((top & 0xffu) << 16u) | (rest >> 16u) | u32((rest & 0xffffu) != 0u);
  return pack(top >> 8u, dropped, exponent + 190 - i32(shift));
}
