// What the values of a block are scaled with, from the largest magnitude of the block. Needs float32.wgsl.

const MINUS_ONE = 0xbf800000u;
// 1e-38, the floor under a block's largest magnitude.
const SMALLEST_SCALE = 0x006ce3eeu;

// Profile cuda: no floor, no division, and NaN is left out of the largest magnitude.
override is_cuda: bool = false;
// 4-bit tensors divide the values of a partial last block.
override divides_tail: bool = true;

struct BlockScale {
  // The largest magnitude of the block.
  absmax: u32,
  // The magnitude that is scaled to one.
  unit: u32,
  // A whole block is multiplied by this reciprocal; the partial last block is divided by the unit.
  reciprocal: u32,
  divides: bool,
}

// The bits of a magnitude, so that the largest of them is that of the block: NaN wins, or is left out.
fn measured(bits: u32) -> u32 {
  let magnitude = bits & ~SIGN;
  return select(magnitude, 0u, is_cuda && magnitude > INFINITY);
}

fn block_scale(largest: u32, is_partial: bool) -> BlockScale {
  let absmax = select(largest, NOT_A_NUMBER, largest > INFINITY);
  let unit = select(max(absmax, SMALLEST_SCALE), absmax, is_cuda);
  return BlockScale(absmax, unit, reciprocal(unit), is_partial && divides_tail && !is_cuda);
}

// What is stored beside the codes.
fn stored_absmax(scale: BlockScale) -> u32 {
  return select(scale.absmax, scale.unit, scale.divides);
}

// Between -1 and 1, or NaN.
fn scaled(bits: u32, scale: BlockScale) -> u32 {
  if (divides_tail && scale.divides) { return clamped(quotient(bits, scale.unit)); }
  return multiplied(bits, scale);
}

fn multiplied(bits: u32, scale: BlockScale) -> u32 {
  return clamped(product(bits, scale.reciprocal));
}

fn clamped(value: u32) -> u32 {
  return select(value, (value & SIGN) | ONE, (value & ~SIGN) > ONE && !is_nan(value));
}

// Whether values are multiplied, and larger ones give larger ones: not with Infinity or NaN in the block, nor where its reciprocal is infinite.
fn is_monotone(scale: BlockScale) -> bool {
  return !(divides_tail && scale.divides) && scale.absmax < INFINITY && scale.reciprocal != INFINITY;
}
