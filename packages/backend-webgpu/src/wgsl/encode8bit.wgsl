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

// Where the code of the i-th of eight elements is.
fn placed(found: u32, i: u32) -> vec2u {
  let byte = found << ((i & 3u) << 3u);
  return select(vec2u(0u, byte), vec2u(byte, 0u), i < 4u);
}

fn store(first: u32, packed: vec2u) {
  let count = params.size - first;
  codes[first >> 2u] = packed.x & first_bytes(count);
  if (count > 4u) { codes[(first >> 2u) + 1u] = packed.y & first_bytes(count - 4u); }
}

// Bytes behind the last element are zero.
fn first_bytes(count: u32) -> u32 {
  return 0xffffffffu >> (32u - (min(count, 4u) << 3u));
}
