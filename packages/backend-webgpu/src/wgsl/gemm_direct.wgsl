// A product without workgroup memory for its operands: a lane makes ROWS × 4 sums. What an adapter likes that runs lanes on a CPU: there, workgroup
// memory costs as much as any other, and barriers more. Needs x4.wgsl and a weight's `weight4_at`.

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  prepare_weight(lane);
  workgroupBarrier();
  let tile = group.y * groups.x + group.x;
  let tiles = (params.columns + 63u) / 64u;
  let first_row = tile / tiles * ROWS;
  let first_column = tile % tiles * 64u + 4u * lane;
  if (first_row >= params.rows || first_column >= params.columns) { return; }
  // What is beyond the last row or column is computed from the last one, and not stored.
  let columns = min(vec4u(first_column) + vec4u(0u, 1u, 2u, 3u), vec4u(params.columns - 1u));
  var sums: array<vec4f, ROWS>;
  for (var inner = 0u; inner < params.inner; inner += 4u) {
    let w0 = weight4_at(columns.x, inner);
    let w1 = weight4_at(columns.y, inner);
    let w2 = weight4_at(columns.z, inner);
    let w3 = weight4_at(columns.w, inner);
    for (var i = 0u; i < ROWS; i++) {
      let value = x4_at(min(first_row + i, params.rows - 1u), inner);
      sums[i] += vec4f(dot(value, w0), dot(value, w1), dot(value, w2), dot(value, w3));
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    store_pair(first_row + i, first_column, 0u, sums[i].x, sums[i].y);
    store_pair(first_row + i, first_column + 2u, 0u, sums[i].z, sums[i].w);
  }
}
