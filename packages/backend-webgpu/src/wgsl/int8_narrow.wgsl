// Integer product with up to 8 rows of a. A workgroup has four columns, its lanes share the bytes of each row, a chunk at a time: the weight is
// read once. Needs int8_product.wgsl, operands, dot4, add_up and store_pair.

// Rows that are computed: a power of two, not less than m.
override rows: u32;

const LANES = 64u;
const COLUMNS = 4u;
const MOST_SUMS = 8u * COLUMNS;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = (group.y * groups.x + group.x) * COLUMNS;
  if (column >= params.n) {
    return;
  }
  let last = params.n - 1u;
  var sums: array<i32, MOST_SUMS>;
  for (var i = lane; i < (params.k + CHUNK_BYTES - 1u) / CHUNK_BYTES; i += LANES) {
    let weights = array<Chunk, COLUMNS>(
      b_chunk(column, i),
      b_chunk(min(column + 1u, last), i),
      b_chunk(min(column + 2u, last), i),
      b_chunk(min(column + 3u, last), i),
    );
    for (var row = 0u; row < rows; row++) {
      let x = a_chunk(min(row, params.m - 1u), i);
      let at = row * COLUMNS;
      sums[at] = dot_chunk(x, weights[0], sums[at]);
      sums[at + 1u] = dot_chunk(x, weights[1], sums[at + 1u]);
      sums[at + 2u] = dot_chunk(x, weights[2], sums[at + 2u]);
      sums[at + 3u] = dot_chunk(x, weights[3], sums[at + 3u]);
    }
  }
  add_up(lane, &sums, rows * COLUMNS);
  // A lane stores a pair.
  let pair = column + 2u * (lane & 1u);
  if (lane < params.m * 2u && pair < params.n) {
    store_pair(lane >> 1u, pair, atomicLoad(&totals[lane * 2u]), atomicLoad(&totals[lane * 2u + 1u]));
  }
}
