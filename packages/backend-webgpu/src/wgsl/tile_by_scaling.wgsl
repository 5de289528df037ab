// Codes within a tile, value by value. Needs an encoder.

fn carry_thresholds(lane: u32, blocks: u32) {}

fn encode_in_tile(values: array<u32, 8>, block: u32, may_be_special: bool) -> array<u32, 8> {
  var found: array<u32, 8>;
  let scale = scales[block];
  for (var i = 0u; i < 8u; i++) { found[i] = encode(values[i], scale); }
  return found;
}
