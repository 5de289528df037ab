// Rows of x as int8, scaled by the largest of every 128: 32 words of four values and a word for the scale, a group after the other. A lane makes a
// group; params.inner is a multiple of 128. Needs product.wgsl and x4.wgsl.

@group(0) @binding(2) var<storage, read_write> out: array<u32>;

// The bits of the largest magnitude: as integers they are in the same order, with NaN and infinity at the end.
fn largest(row: u32, begin: u32) -> u32 {
  var most = vec4u();
  for (var i = 0u; i < 128u; i += 4u) { most = max(most, bitcast<vec4u>(x4_at(row, begin + i)) & vec4u(0x7fffffffu)); }
  return max(max(most.x, most.y), max(most.z, most.w));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  let in_row = params.inner / 128u;
  if (index >= params.rows * in_row) { return; }
  let row = index / in_row;
  let begin = index % in_row * 128u;
  let most = largest(row, begin);
  // A row with a value that is not finite has no scale.
  out[index * 33u + 32u] = select(bitcast<u32>(bitcast<f32>(most) / 127.0), NOT_A_NUMBER, most >= INFINITY);
  // Of what is smaller than any normal number, nothing is left.
  let factor = select(127.0 / bitcast<f32>(most), 0.0, most < LEADING_ONE || most >= INFINITY);
  for (var i = 0u; i < 32u; i++) {
    let values = vec4i(clamp(round(x4_at(row, begin + 4u * i) * factor), vec4f(-127.0), vec4f(127.0)));
    let bytes = vec4u(values) & vec4u(0xffu);
    out[index * 33u + i] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  }
}
