// Codes of 8 bits, by a map of 256 values. Needs quantize_task.wgsl and block_scale.wgsl; the kernel declares `rule`, made by map_rule.wgsl, and
// `codes`.

var<workgroup> bounds: array<u32, 256>;

fn prepare(lane: u32) {
  bounds[lane] = rule[lane];
}

// The number of bounds below; a tie goes to the lower value, under profile cuda to the even code.
fn encode(bits: u32, scale: BlockScale) -> u32 {
  let value = scaled(bits, scale);
  if (is_nan(value)) { return params.rank_of_nan; }
  let key = ordered_key(value);
  var below = 0u;
  for (var step = 128u; step > 0u; step >>= 1u) {
    below += select(0u, step, key > bounds[below + step - 1u]);
  }
  if (is_cuda) { return below + u32((below & 1u) == 1u && key == bounds[below]); }
  return rule[256u + below];
}

// Two words, bytes behind the last element zero.
fn store(first: u32, found: array<u32, 8>) {
  for (var half = 0u; half < 8u; half += 4u) {
    var word = 0u;
    for (var i = half; i < half + 4u; i++) {
      word |= select(0u, found[i], first + i < params.size) << ((i & 3u) << 3u);
    }
    if (first + half < params.size) { codes[(first + half) >> 2u] = word; }
  }
}
