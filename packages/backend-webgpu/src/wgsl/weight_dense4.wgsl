// A dense weight, four elements at a time: rows are multiples of 8 elements.

override weight_kind: u32;

@group(0) @binding(2) var<storage, read> weight: array<vec4u>;
@group(0) @binding(3) var<storage, read> bias: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

// There is nothing to prepare.
fn prepare_weight(lane: u32) {}

fn weight4_at(row: u32, column: u32) -> vec4f {
  let i = row * params.weight_stride + column;
  if (weight_kind == FLOAT32) { return bitcast<vec4f>(weight[i >> 2u]); }
  let words = weight[i >> 3u];
  let half = select(words.xy, words.zw, (i & 4u) != 0u);
  return widened4(half.x, half.y, weight_kind);
}
