// A 4-bit weight, four elements at a time: rows and blocks are multiples of 32 elements.

@group(0) @binding(2) var<storage, read> codes: array<u32>;

fn weight4_at(row: u32, column: u32) -> vec4f {
  let i = row * params.weight_stride + column;
  let pair = codes[i >> 3u] >> (4u * (i & 4u));
  let values = vec4f(code[(pair >> 4u) & 15u], code[pair & 15u], code[(pair >> 12u) & 15u], code[(pair >> 8u) & 15u]);
  return values * scale_at((i + params.first_in_block) / params.block_size);
}
