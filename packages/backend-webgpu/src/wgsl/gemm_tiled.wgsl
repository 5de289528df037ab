// A product in tiles of 64 × 64 outputs and 16 terms: 256 lanes, 4 × 4 sums each. Needs x4.wgsl and a weight's `weight4_at`; sums have a multiple of
// 16 terms.

const STEP = 16u;
// In vec4: a line holds the terms of one row or column, and a fifth one, so that lanes that read neighbouring lines meet no bank twice.
const LINE = 5u;

var<workgroup> x_tile: array<vec4f, 64u * LINE>;
var<workgroup> w_tile: array<vec4f, 64u * LINE>;

// A lane's columns stand 16 lines apart, and two of them are neighbours in the output.
fn column_of(line: u32) -> u32 {
  return 2u * (line & 31u) + (line >> 5u);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  prepare_weight(lane);
  workgroupBarrier();
  let tile = group.y * groups.x + group.x;
  let tiles = (params.columns + 63u) / 64u;
  let first_row = tile / tiles * 64u;
  let first_column = tile % tiles * 64u;
  if (first_row >= params.rows) { return; }
  // What is beyond the last row or column is computed from the last one, and not stored.
  let row = min(first_row + lane / 4u, params.rows - 1u);
  let column = min(first_column + column_of(lane / 4u), params.columns - 1u);
  let quad = lane % 4u;
  let slot = lane / 4u * LINE + quad;
  let x_line = lane / 16u * LINE;
  let w_line = lane % 16u * LINE;
  var sums: array<vec4f, 4>;
  for (var term = 0u; term < params.inner; term += STEP) {
    x_tile[slot] = x4_at(row, term + 4u * quad);
    w_tile[slot] = weight4_at(column, term + 4u * quad);
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let w0 = w_tile[w_line + k];
      let w1 = w_tile[w_line + 16u * LINE + k];
      let w2 = w_tile[w_line + 32u * LINE + k];
      let w3 = w_tile[w_line + 48u * LINE + k];
      for (var i = 0u; i < 4u; i++) {
        let value = x_tile[x_line + 16u * LINE * i + k];
        sums[i] += vec4f(dot(value, w0), dot(value, w1), dot(value, w2), dot(value, w3));
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let out_row = first_row + lane / 16u + 16u * i;
    let out_column = first_column + 2u * (lane % 16u);
    store_pair(out_row, out_column, 0u, sums[i].x, sums[i].z);
    store_pair(out_row, out_column + 32u, 0u, sums[i].y, sums[i].w);
  }
}
