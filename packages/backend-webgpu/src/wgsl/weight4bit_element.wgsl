// One element of a 4-bit weight, wherever its row and its block begin.

@group(0) @binding(2) var<storage, read> codes: array<u32>;

fn weight_at(row: u32, column: u32) -> f32 {
  let i = row * params.weight_stride + column;
  // The even element of a byte is the upper nibble.
  let entry = (codes[i >> 3u] >> (4u * ((i & 7u) ^ 1u))) & 15u;
  return code[entry] * scale_at((i + params.first_in_block) / params.block_size);
}
