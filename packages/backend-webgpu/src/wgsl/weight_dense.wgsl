// A dense weight, element by element.

override weight_kind: u32;

@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

fn weight_at(row: u32, column: u32) -> f32 {
  let i = row * params.weight_stride + column;
  if (weight_kind == FLOAT32) { return bitcast<f32>(weight[i]); }
  return widened(weight[i >> 1u], i & 1u, weight_kind);
}
