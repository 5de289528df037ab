// x, four elements at a time: rows are multiples of 8 elements. Beyond the last row stands the last one.

@group(0) @binding(1) var<storage, read> x: array<vec4u>;

fn x4_at(row: u32, inner: u32) -> vec4f {
  let i = min(row, params.rows - 1u) * params.x_stride + inner;
  if (x_kind == FLOAT32) { return bitcast<vec4f>(x[i >> 2u]); }
  let words = x[i >> 3u];
  let half = select(words.xy, words.zw, (i & 4u) != 0u);
  return widened4(half.x, half.y, x_kind);
}
