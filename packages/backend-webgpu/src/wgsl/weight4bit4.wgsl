// A 4-bit weight, four elements at a time: rows are multiples of 32 elements, blocks too, and powers of two.

@group(0) @binding(2) var<storage, read> codes: array<u32>;

var<workgroup> table: array<f32, 16>;

// Before the first element, and a barrier after it.
fn prepare_weight(lane: u32) {
  if (lane < 16u) { table[lane] = code[lane]; }
}

fn weight4_at(row: u32, column: u32) -> vec4f {
  let i = row * params.weight_stride + column;
  let pair = codes[i >> 3u] >> (4u * (i & 4u));
  let values = vec4f(table[(pair >> 4u) & 15u], table[pair & 15u], table[(pair >> 12u) & 15u], table[(pair >> 8u) & 15u]);
  return values * scale_at((i + params.first_in_block) >> firstTrailingBit(params.block_size));
}
