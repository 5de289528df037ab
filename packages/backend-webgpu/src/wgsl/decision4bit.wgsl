// From a value to its rank among the 16 entries of a table, without scaling the value: the thresholds are carried over to
// the scale of the block instead, once a block, and values are compared with them as integers. Profile `reference`.
// Needs float32.wgsl and the table printed by tableWgsl(): `bounds`, the 15 midpoints, and `order`, the codes by rank.

const MINUS_ONE = 0xbf800000u;
// 1e-38, the floor under a block's largest magnitude.
const SMALLEST_SCALE = 0x006ce3eeu;

struct BlockScale {
  // The largest magnitude of the block.
  absmax: u32,
  // The magnitude that is scaled to one.
  unit: u32,
  // A whole block is multiplied by this reciprocal; the partial last block is divided by the unit.
  reciprocal: u32,
  divides: bool,
}

fn block_scale(absmax: u32, is_partial: bool) -> BlockScale {
  let unit = max(absmax, SMALLEST_SCALE);
  return BlockScale(absmax, unit, reciprocal(unit), is_partial);
}

// What is stored beside the codes.
fn stored_absmax(scale: BlockScale) -> u32 {
  return select(scale.absmax, scale.unit, scale.divides);
}

fn scaled(bits: u32, scale: BlockScale) -> u32 {
  var value: u32;
  if (scale.divides) { value = quotient(bits, scale.unit); } else { value = product(bits, scale.reciprocal); }
  return select(value, (value & SIGN) | ONE, (value & ~SIGN) > ONE && !is_nan(value));
}

// The ordered key of the largest value of the block that is scaled to at most `bound`. Scaling is monotone, so keys up to
// `low` pass and keys from `high` on do not; the search starts beside the guess, which is rarely more than a step away,
// and doubles its steps. Finite blocks only.
fn largest_within(bound: u32, scale: BlockScale) -> u32 {
  let wanted = ordered_key(bound);
  var low = ordered_key(scale.absmax | SIGN) - 1u;
  var high = ordered_key(scale.absmax) + 1u;
  var probe = clamp(ordered_key(product(bound, scale.unit)), low + 1u, high - 1u);
  var step = 1u;
  while (high - low > 1u) {
    let passes = ordered_key(scaled(from_ordered_key(probe), scale)) <= wanted;
    if (passes) { low = probe; } else { high = probe; }
    // Once a step would leave the range, halves it to the end.
    let halve = step >= high - low;
    probe = select(select(high - step, low + step, passes), low + ((high - low) >> 1u), halve);
    step = select(step << 1u, SIGN, halve);
  }
  return low;
}

// Number of bounds below the scaled value; `limits` are the largest_within of the bounds.
fn rank_within(bits: u32, limits: ptr<function, array<u32, 15>>) -> u32 {
  let key = ordered_key(bits);
  var rank = 0u;
  for (var k = 0u; k < 15u; k++) { rank += u32(key > (*limits)[k]); }
  return rank;
}

// The same by scaling the value; also for blocks with NaN or Infinity. NaN counts as above all bounds.
fn rank_by_scaling(bits: u32, scale: BlockScale) -> u32 {
  let value = scaled(bits, scale);
  if (is_nan(value)) { return 15u; }
  var rank = 0u;
  for (var k = 0u; k < 15u; k++) { rank += u32(ordered_key(value) > ordered_key(bounds[k])); }
  return rank;
}
