// Codes within a tile, value by value. Needs an encoder.

fn carry_thresholds(lane: u32, blocks: u32) {}

fn encode_in_tile(values: array<u32, 8>, first: u32, block: u32, may_be_special: bool) -> vec2u {
  var packed = vec2u();
  let scale = scales[block];
  for (var i = 0u; i < 8u; i++) { packed |= placed(encode(values[i], scale), i); }
  return packed;
}
