// Adds partial sums up in order, adds the bias and rounds to the output dtype. A lane makes one word of output. Needs product.wgsl.

@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

fn total(index: u32) -> f32 {
  var sum = 0.0;
  for (var plane = 0u; plane < params.planes; plane++) { sum += partial[plane * params.plane + index]; }
  return sum + bias_at(index % params.columns);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = (group.y * groups.x + group.x) * 64u + lane;
  let count = params.rows * params.columns;
  if (params.out_kind == FLOAT32) {
    if (word < count) { out[word] = bitcast<u32>(total(word)); }
    return;
  }
  let index = 2u * word;
  if (index >= count) { return; }
  var second = 0u;
  if (index + 1u < count) { second = narrowed(total(index + 1u)); }
  out[word] = narrowed(total(index)) | (second << 16u);
}
