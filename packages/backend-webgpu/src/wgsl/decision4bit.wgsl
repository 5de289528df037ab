// From a value to its rank among the 16 entries of a table, without scaling the value: the thresholds are carried over to
// the scale of the block instead, once a block, and values are compared with them as integers.
// Needs float32.wgsl and block_scale.wgsl. Thresholds come as ordered keys.

const ONE_HALF = 0x3f000000u;

// 15 ordered keys, ascending; the 16th is not looked at.
struct Limits {
  to_3: vec4u,
  to_7: vec4u,
  to_11: vec4u,
  to_15: vec4u,
}

// The number of limits below the key, by halving, without a memory that is indexed.
fn rank_among(key: u32, limits: Limits) -> u32 {
  let eighths = key > limits.to_7.w;
  let low = select(limits.to_3, limits.to_11, eighths);
  let high = select(limits.to_7, limits.to_15, eighths);
  let fourths = key > low.w;
  let left = select(low, high, fourths);
  let pairs = key > left.y;
  let last = key > select(left.x, left.z, pairs);
  return (u32(eighths) << 3u) | (u32(fourths) << 2u) | (u32(pairs) << 1u) | u32(last);
}

// The rank of a value by scaling it: for any block.
fn rank_by_scaling(bits: u32, scale: BlockScale, bounds: Limits, rank_of_nan: u32) -> u32 {
  let value = scaled(bits, scale);
  return select(rank_among(ordered_key(value), bounds), rank_of_nan, is_nan(value));
}

// The key of the largest value of the block that is scaled to at most the bound, of which the key is given. Scaling is monotone.
fn largest_within(bound_key: u32, scale: BlockScale) -> u32 {
  let bound = from_ordered_key(bound_key);
  // Zero, and the largest below it: the smallest number times a reciprocal above one half does not vanish.
  if ((bound == 0u || bound == (SIGN | 1u)) && scale.reciprocal > ONE_HALF) { return bound_key; }
  if (!is_ordinary(bound, scale)) { return searched_within(bound_key, scale); }
  let key = carried_over(bound, scale);
  if (key == 0u) { return searched_within(bound_key, scale); }
  return key;
}

// Whether all numbers on the way are normal: the bound from 2^-20 to less than one, the unit from 2^-100 to 2^100.
fn is_ordinary(bound: u32, scale: BlockScale) -> bool {
  let magnitude = bound & ~SIGN;
  return magnitude - 0x35800000u < 0x0a000000u && scale.unit - 0x0d800000u <= 0x64000000u;
}

// Of the values that round to `at_most` or less when multiplied by the reciprocal, the largest one is near at_most * unit. How far, says the
// difference of both sides of value * reciprocal <= at_most + half a step, as integers: small enough for 32 bits, whatever the two sides are.
// A negative value must round to the bound's magnitude or more: it follows the largest that rounds to less. Zero where the mantissa would leave
// its range.
fn carried_over(bound: u32, scale: BlockScale) -> u32 {
  let is_negative = bound >= SIGN;
  let at_most = (bound & ~SIGN) - u32(is_negative);
  let guess = product(at_most, scale.unit);
  let shift = (at_most >> 23u) + 150u - (guess >> 23u) - (scale.reciprocal >> 23u);
  let limit = ((at_most << 1u) & 0xffffffu) | 0x1000001u;
  let step = mantissa_of(scale.reciprocal) << 1u;
  var mantissa = mantissa_of(guess);
  // Half way rounds to even: up, from an odd mantissa.
  var rest = i32((limit << shift) - mantissa * step - (at_most & 1u));
  while (rest < 0) { rest += i32(step); mantissa--; }
  while (rest >= i32(step)) { rest -= i32(step); mantissa++; }
  if (mantissa - LEADING_ONE >= LEADING_ONE) { return 0u; }
  let magnitude = (guess & INFINITY) | (mantissa & 0x7fffffu);
  return select(magnitude | SIGN, ~((magnitude + 1u) | SIGN), is_negative);
}

fn mantissa_of(bits: u32) -> u32 {
  return (bits & 0x7fffffu) | LEADING_ONE;
}

// The same for any finite block. Keys up to `low` pass and keys from `high` on do not; the search starts beside the guess and doubles its steps.
fn searched_within(wanted: u32, scale: BlockScale) -> u32 {
  var low = ordered_key(scale.absmax | SIGN) - 1u;
  var high = ordered_key(scale.absmax) + 1u;
  var probe = clamp(ordered_key(product(from_ordered_key(wanted), scale.unit)), low + 1u, high - 1u);
  var step = 1u;
  while (high - low > 1u) {
    let passes = ordered_key(multiplied(from_ordered_key(probe), scale)) <= wanted;
    if (passes) { low = probe; } else { high = probe; }
    // Once a step would leave the range, halves it to the end.
    let halve = step >= high - low;
    probe = select(select(high - step, low + step, passes), low + ((high - low) >> 1u), halve);
    step = select(step << 1u, SIGN, halve);
  }
  return low;
}
