// What the kernels for 8-bit states share: the maps in workgroup memory, decoding, an element's step, and encoding, which decides by integers. Needs
// float32.wgsl, float16.wgsl, optimizer_rule.wgsl, optimizer_floats.wgsl, and the `maps` and the words of states and absmax of the kernel.

// As state_maps.wgsl writes them; the second one starts behind the first.
const SECOND_MAP = 768u;
// 1e-38, the floor under a block's largest magnitude.
const SMALLEST_SCALE = 0x006ce3eeu;

var<workgroup> map_words: array<u32, 1536>;

// All lanes of the workgroup.
fn load_maps(lane: u32) {
  for (var i = lane; i < 1536u; i += 256u) { map_words[i] = maps[i]; }
  workgroupBarrier();
}

// The maxima of a block's states: before a step what they are decoded with.
struct Maxima {
  first: u32,
  slow: u32,
  second: u32,
}

fn maxima_of(block: u32) -> Maxima {
  var maxima = Maxima(absmax1[params.first_block + block], 0u, 0u);
  if (rule == 1u) { maxima.slow = absmax1[params.first_slow_block + block]; }
  if (rule <= 1u) { maxima.second = absmax2[block]; }
  return maxima;
}

fn store_maxima(block: u32, maxima: Maxima) {
  absmax1[params.first_block + block] = maxima.first;
  if (rule == 1u) { absmax1[params.first_slow_block + block] = maxima.slow; }
  if (rule <= 1u) { absmax2[block] = maxima.second; }
}

fn byte_of(word: u32, i: u32) -> u32 {
  return (word >> (8u * i)) & 0xffu;
}

fn decode(map: u32, code: u32, absmax: u32) -> f32 {
  return bitcast<f32>(map_words[map + code]) * bitcast<f32>(absmax);
}

// Bit patterns of an element after its step.
struct Stepped {
  p: u32,
  first: u32,
  slow: u32,
  second: u32,
}

// A step of element i, whose codes are byte k of these words.
fn updated(i: u32, k: u32, first: u32, slow: u32, second: u32, maxima: Maxima) -> Stepped {
  let p = param_at(i);
  let grad_bits = grad_at(i);
  var e = Element(bitcast<f32>(p), params.grad_scale * bitcast<f32>(grad_bits), decode(0u, byte_of(first, k), maxima.first), 0.0, 0.0);
  if (rule == 1u) { e.slow = decode(0u, byte_of(slow, k), maxima.slow); }
  if (rule <= 1u) { e.s2 = decode(SECOND_MAP, byte_of(second, k), maxima.second); }
  if (params.clears_non_finite != 0u && !is_finite(grad_bits)) { return Stepped(p, 0u, 0u, 0u); }
  if (params.skips_zeros != 0u && is_zero(bitcast<u32>(e.g))) { return stepped(p, e); }
  if (is_nan(grad_bits)) { return Stepped(NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER); }
  advance(&e, params.rate);
  return stepped(bitcast<u32>(e.p), e);
}

fn stepped(p: u32, e: Element) -> Stepped {
  return Stepped(p, bitcast<u32>(e.s1), bitcast<u32>(e.slow), bitcast<u32>(e.s2));
}

// What an element brings to the largest magnitude: NaN is the largest of all, or none under profile `cuda`.
fn magnitude(bits: u32) -> u32 {
  return select(bits & ~SIGN, 0u, params.is_cuda != 0u && is_nan(bits));
}

fn stored_maximum(largest: u32) -> u32 {
  return select(largest, NOT_A_NUMBER, is_nan(largest));
}

// Above this the reciprocal of a block's maximum comes near the subnormal numbers, which a device may flush: both sides are scaled down.
const LARGE = 0x5f800000u;
const DOWN = 5.421010862427522e-20;
const DOWN_EXPONENT = 0x20000000u;

// What the values of a block are multiplied with before they are compared with the midpoints.
fn factor_of(absmax: u32) -> u32 {
  if (absmax >= LARGE && absmax < INFINITY) { return reciprocal(absmax - DOWN_EXPONENT); }
  return reciprocal(select(max(absmax, SMALLEST_SCALE), absmax, params.is_cuda != 0u));
}

// Where the maximum is not finite, what is infinite or NaN becomes NaN, and all of a block whose maximum is NaN.
fn scaled_to(bits: u32, factor: u32, absmax: u32) -> u32 {
  if (is_nan(absmax) || !is_finite(bits)) { return NOT_A_NUMBER; }
  if (absmax == INFINITY) { return 0u; }
  let value = select(bitcast<f32>(bits), bitcast<f32>(bits) * DOWN, absmax >= LARGE);
  let scaled = bitcast<u32>(value * bitcast<f32>(factor));
  return (scaled & SIGN) | min(scaled & ~SIGN, ONE);
}

fn encode(map: u32, bits: u32, factor: u32, absmax: u32) -> u32 {
  let scaled = scaled_to(bits, factor, absmax);
  let rank = rank_of(map, ordered_key(scaled));
  if (params.is_cuda == 0u) { return map_words[map + 512u + select(rank, 255u, is_nan(scaled))]; }
  // Where every scaled value is 0 or NaN.
  let is_cleared = is_zero(absmax) || absmax >= INFINITY;
  let is_tie = (rank & 1u) == 1u && map_words[map + 256u + rank] == ordered_key(scaled);
  return with_sign_of(map, bits, select(rank + u32(is_tie), 0u, is_cleared || is_nan(scaled)));
}

// The number of midpoints below the value.
fn rank_of(map: u32, key: u32) -> u32 {
  var rank = 0u;
  for (var step = 128u; step > 0u; step >>= 1u) {
    rank += select(0u, step, map_words[map + 255u + rank + step] < key);
  }
  return rank;
}

// CUDA moves a code whose sign bit differs from the state's one step toward it.
fn with_sign_of(map: u32, bits: u32, code: u32) -> u32 {
  if (is_negative(map_words[map + code]) == is_negative(bits)) { return code; }
  if (bits < SIGN && !is_zero(bits) && !is_nan(bits)) { return min(code + 1u, 255u); }
  return max(code, 1u) - 1u;
}

fn is_negative(bits: u32) -> bool {
  return bits >= SIGN && !is_nan(bits);
}
