// ROWS rows of x, 8 at most, times a weight that comes four elements at a time. A team of 32 lanes makes two columns. Needs x4.wgsl, a weight's
// `weight4_at` and a module that sums over teams and has the entry point.

fn narrow(tile: u32, lane: u32) {
  let column = tile * 16u + lane / 32u * 2u;
  // What is beyond the last column is computed from the last one, and not stored.
  let first = min(column, params.columns - 1u);
  let second = min(column + 1u, params.columns - 1u);
  var sums: array<vec2f, ROWS>;
  for (var inner = 4u * (lane % 32u); inner < params.inner; inner += 128u) {
    let w = array(weight4_at(first, inner), weight4_at(second, inner));
    for (var row = 0u; row < ROWS; row++) {
      let value = x4_at(row, inner);
      sums[row] += vec2f(dot(value, w[0]), dot(value, w[1]));
    }
  }
  store_teams(tile, 0u, lane, sums);
}
