// Codes of 4 bits within a tile: the thresholds are carried over to each block, and values compared with them. Needs encode4bit.wgsl.

// Of 64 blocks, 17 words apart: neighbouring blocks lie in other memory banks.
var<workgroup> limits: array<u32, 1088>;

// The thresholds of each block of the tile, shared among the lanes.
fn carry_thresholds(lane: u32, blocks: u32) {
  for (var task = lane; task < blocks << 4u; task += 256u) {
    let block = task >> 4u;
    let k = task & 15u;
    if (k < 15u && is_monotone(scales[block])) {
      limits[block * 17u + k] = largest_within(params.bounds[k >> 2u][k & 3u], scales[block]);
    }
  }
}

fn limits_of(block: u32) -> Limits {
  let at = block * 17u;
  return Limits(
    vec4u(limits[at], limits[at + 1u], limits[at + 2u], limits[at + 3u]),
    vec4u(limits[at + 4u], limits[at + 5u], limits[at + 6u], limits[at + 7u]),
    vec4u(limits[at + 8u], limits[at + 9u], limits[at + 10u], limits[at + 11u]),
    vec4u(limits[at + 12u], limits[at + 13u], limits[at + 14u], 0u),
  );
}

// The codes of eight values of one block of the tile; `may_be_special`: one of them may be NaN or Infinity.
fn encode_in_tile(values: array<u32, 8>, first: u32, block: u32, may_be_special: bool) -> vec2u {
  if (may_be_special || !is_monotone(scales[block])) { return encode_by_scaling(first, scales[block]); }
  var packed = vec2u();
  let carried = limits_of(block);
  for (var i = 0u; i < 8u; i++) { packed |= placed(code_of_rank(rank_among(ordered_key(values[i]), carried)), i); }
  return packed;
}

// Rarely: so values are read again, one at a time, and the code stays small.
fn encode_by_scaling(first: u32, scale: BlockScale) -> vec2u {
  var packed = vec2u();
  for (var i = 0u; i < min(8u, params.size - first); i++) { packed |= placed(encode(element(first + i), scale), i); }
  return packed;
}
