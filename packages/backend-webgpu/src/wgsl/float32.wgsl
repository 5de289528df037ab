// Single precision on bit patterns, with integers alone. WGSL lets a device round a float result to either side, flush
// subnormals and assume that NaN is absent; integers leave it no freedom, so these give the same bits on every adapter.

const SIGN = 0x80000000u;
const INFINITY = 0x7f800000u;
const NOT_A_NUMBER = 0x7fc00000u;
const ONE = 0x3f800000u;
const LEADING_ONE = 0x800000u;

// mantissa * 2^(exponent - 150), the leading one of the mantissa in bit 23.
struct Unpacked {
  mantissa: u32,
  exponent: i32,
}

// `magnitude` is finite and not zero.
fn unpack(magnitude: u32) -> Unpacked {
  let exponent = magnitude >> 23u;
  if (exponent != 0u) { return Unpacked((magnitude & 0x7fffffu) | LEADING_ONE, i32(exponent)); }
  let shift = countLeadingZeros(magnitude) - 8u;
  return Unpacked(magnitude << shift, 1 - i32(shift));
}

fn round_half_even(kept: u32, dropped: u32, half: u32) -> u32 {
  return kept + u32(dropped > half || (dropped == half && (kept & 1u) == 1u));
}

// `rest` holds the 24 bits below the mantissa, or any stand-in on the same side of one half. A carry out of the mantissa
// lands in the exponent, where it belongs.
fn pack(mantissa: u32, rest: u32, exponent: i32) -> u32 {
  if (exponent < 1) { return pack_subnormal(mantissa, rest, u32(min(1 - exponent, 25))); }
  return min((u32(exponent - 1) << 23u) + round_half_even(mantissa, rest, LEADING_ONE), INFINITY);
}

fn pack_subnormal(mantissa: u32, rest: u32, shift: u32) -> u32 {
  let dropped = ((mantissa & ((1u << shift) - 1u)) << 1u) | u32(rest != 0u);
  return round_half_even(mantissa >> shift, dropped, 1u << shift);
}

// Whether the exponent field is that of a normal number.
fn is_normal_exponent(field: u32) -> bool {
  return field - 1u < 254u;
}

// a * b, rounded half to even.
fn product(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & SIGN;
  let of_a = (a >> 23u) & 0xffu;
  let of_b = (b >> 23u) & 0xffu;
  let exponent = i32(of_a + of_b) - 127;
  // Nearly always; the result may still round up to infinity.
  if (is_normal_exponent(of_a) && is_normal_exponent(of_b) && exponent > 0 && exponent < 254) {
    return sign | normal_product((a & 0x7fffffu) | LEADING_ONE, (b & 0x7fffffu) | LEADING_ONE, u32(exponent));
  }
  let small = min(a & ~SIGN, b & ~SIGN);
  let large = max(a & ~SIGN, b & ~SIGN);
  if (large > INFINITY || (large == INFINITY && small == 0u)) { return NOT_A_NUMBER; }
  if (large == INFINITY || small == 0u) { return sign | select(0u, INFINITY, large == INFINITY); }
  return sign | product_of_magnitudes(unpack(small), unpack(large));
}

// high * 2^24 + low, the leading one in bit 22 or 23 of `high`.
struct MantissaProduct {
  high: u32,
  low: u32,
}

// All 48 bits, from 12-bit halves.
fn mantissa_product(a: u32, b: u32) -> MantissaProduct {
  let a_high = a >> 12u;
  let a_low = a & 0xfffu;
  let b_high = b >> 12u;
  let b_low = b & 0xfffu;
  let middle = a_high * b_low + a_low * b_high;
  let low = a_low * b_low + ((middle & 0xfffu) << 12u);
  return MantissaProduct(a_high * b_high + (middle >> 12u) + (low >> 24u), low & 0xffffffu);
}

// The product of two mantissas: 24 bits, leading one first, what is below them, and whether the leading one moved up.
struct LeadingProduct {
  mantissa: u32,
  rest: u32,
  carry: u32,
}

fn leading_product(a: u32, b: u32) -> LeadingProduct {
  let exact = mantissa_product(a, b);
  let carry = exact.high >> 23u;
  let mantissa = select((exact.high << 1u) | (exact.low >> 23u), exact.high, carry == 1u);
  return LeadingProduct(mantissa, (exact.low << (1u - carry)) & 0xffffffu, carry);
}

fn normal_product(a: u32, b: u32, exponent: u32) -> u32 {
  let leading = leading_product(a, b);
  return ((exponent + leading.carry - 1u) << 23u) + round_half_even(leading.mantissa, leading.rest, LEADING_ONE);
}

fn product_of_magnitudes(a: Unpacked, b: Unpacked) -> u32 {
  let leading = leading_product(a.mantissa, b.mantissa);
  return pack(leading.mantissa, leading.rest, a.exponent + b.exponent - 127 + i32(leading.carry));
}

// a / b, rounded half to even.
fn quotient(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & SIGN;
  let top = a & ~SIGN;
  let bottom = b & ~SIGN;
  if (max(top, bottom) > INFINITY || (top == bottom && (top == 0u || top == INFINITY))) { return NOT_A_NUMBER; }
  if (top == INFINITY || bottom == 0u) { return sign | INFINITY; }
  if (top == 0u || bottom == INFINITY) { return sign; }
  return sign | quotient_of_magnitudes(unpack(top), unpack(bottom));
}

// Long division: one bit of the quotient a step, after the leading one.
fn quotient_of_magnitudes(a: Unpacked, b: Unpacked) -> u32 {
  let shift = u32(a.mantissa < b.mantissa);
  var remainder = (a.mantissa << shift) - b.mantissa;
  var mantissa = 1u;
  for (var step = 0u; step < 23u; step++) {
    remainder <<= 1u;
    let bit = u32(remainder >= b.mantissa);
    remainder -= b.mantissa * bit;
    mantissa = (mantissa << 1u) | bit;
  }
  // A quotient of two 24-bit mantissas is never half way between two others.
  let beyond_half = (remainder << 1u) > b.mantissa;
  let rest = select(u32(remainder != 0u), LEADING_ONE + 1u, beyond_half);
  return pack(mantissa, rest, a.exponent - b.exponent + 127 - i32(shift));
}

fn reciprocal(a: u32) -> u32 {
  return quotient(ONE, a);
}

// a + b, rounded half to even.
fn sum(a: u32, b: u32) -> u32 {
  let a_is_larger = (a & ~SIGN) >= (b & ~SIGN);
  let large = select(b, a, a_is_larger);
  let small = select(a, b, a_is_larger);
  let top = large & ~SIGN;
  let bottom = small & ~SIGN;
  if (top > INFINITY || (bottom == INFINITY && large != small)) { return NOT_A_NUMBER; }
  if (top == INFINITY) { return large; }
  // Of two zeros the sum is negative when both are.
  if (bottom == 0u) { return select(large, large & small, top == 0u); }
  return sum_of_finite(large, small);
}

// Neither is zero; |large| >= |small|. Six bits below the mantissas are enough: what is shifted beyond them only has to be seen.
fn sum_of_finite(large: u32, small: u32) -> u32 {
  let a = unpack(large & ~SIGN);
  let b = unpack(small & ~SIGN);
  let apart = min(u32(a.exponent - b.exponent), 31u);
  let addend = b.mantissa << 6u;
  let aligned = (addend >> apart) | u32((addend & ((1u << apart) - 1u)) != 0u);
  let total = (a.mantissa << 6u) + select(aligned, 0u - aligned, ((large ^ small) & SIGN) != 0u);
  if (total == 0u) { return 0u; }
  return (large & SIGN) | pack_integer(total, a.exponent - 156);
}

// integer * 2^exponent, rounded half to even; the integer is not zero.
fn pack_integer(integer: u32, exponent: i32) -> u32 {
  let shift = countLeadingZeros(integer);
  let mantissa = integer << shift;
  return pack(mantissa >> 8u, (mantissa << 24u) >> 8u, exponent + 158 - i32(shift));
}

// The nearest number to an integer.
fn from_i32(value: i32) -> u32 {
  if (value == 0) { return 0u; }
  let sign = u32(value) & SIGN;
  return sign | pack_integer(select(u32(value), 0u - u32(value), sign != 0u), 0);
}

// Unsigned integers in the order of the values; both zeros have the key of +0. NaN lies outside: test for it first.
fn ordered_key(bits: u32) -> u32 {
  if ((bits << 1u) == 0u) { return SIGN; }
  return select(bits | SIGN, ~bits, bits >= SIGN);
}

fn from_ordered_key(key: u32) -> u32 {
  return select(~key, key ^ SIGN, key >= SIGN);
}

fn is_nan(bits: u32) -> bool {
  return (bits & ~SIGN) > INFINITY;
}
