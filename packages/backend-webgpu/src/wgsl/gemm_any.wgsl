// A product of any shape, transposed or not, in tiles of 8·ROWS × 32 outputs and 16 terms: 64 lanes, ROWS × 4 sums each. Weights come one by one
// from `weight_at`.

override is_transposed: bool;

@group(0) @binding(1) var<storage, read> x: array<u32>;

const STEP = 16u;
const TILE_ROWS = 8u * ROWS;
const TILE_COLUMNS = 32u;

// A term a line.
var<workgroup> x_tile: array<f32, STEP * TILE_ROWS>;
var<workgroup> w_tile: array<f32, STEP * TILE_COLUMNS>;

fn x_at(row: u32, inner: u32) -> f32 {
  if (row >= params.rows || inner >= params.inner) { return 0.0; }
  let i = row * params.x_stride + params.x_begin + inner;
  if (x_kind == FLOAT32) { return bitcast<f32>(x[i]); }
  return widened(x[i >> 1u], i & 1u, x_kind);
}

fn w_at(column: u32, inner: u32) -> f32 {
  if (column >= params.columns || inner >= params.inner) { return 0.0; }
  if (is_transposed) { return weight_at(inner, column); }
  return weight_at(column, inner);
}

// How far a loop goes, as a number that compilers do not know: unrolled, these loops are most of the kernel, which takes seconds to compile.
fn rolled(count: u32) -> u32 {
  return select(count, 0u, params.rows == 0u);
}

fn load_x(first_row: u32, first_term: u32, lane: u32) {
  for (var i = lane; i < rolled(STEP * TILE_ROWS); i += 64u) {
    let term = i % STEP;
    let row = i / STEP;
    x_tile[term * TILE_ROWS + row] = x_at(first_row + row, first_term + term);
  }
}

// Neighbouring lanes read neighbouring elements of the weight.
fn load_w(first_column: u32, first_term: u32, lane: u32) {
  for (var i = lane; i < rolled(STEP * TILE_COLUMNS); i += 64u) {
    let term = select(i % STEP, i / TILE_COLUMNS, is_transposed);
    let column = select(i / STEP, i % TILE_COLUMNS, is_transposed);
    w_tile[term * TILE_COLUMNS + column] = w_at(first_column + column, first_term + term);
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.y * groups.x + group.x;
  let tiles = (params.columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let first_row = tile / tiles * TILE_ROWS;
  let first_column = tile % tiles * TILE_COLUMNS;
  if (first_row >= params.rows) { return; }
  let quad = lane % 8u;
  let line = lane / 8u;
  var sums: array<vec4f, ROWS>;
  for (var term = 0u; term < params.inner; term += STEP) {
    load_x(first_row, term, lane);
    load_w(first_column, term, lane);
    workgroupBarrier();
    for (var k = 0u; k < rolled(STEP); k++) {
      let at = k * TILE_COLUMNS + 4u * quad;
      let w = vec4f(w_tile[at], w_tile[at + 1u], w_tile[at + 2u], w_tile[at + 3u]);
      for (var i = 0u; i < ROWS; i++) { sums[i] += x_tile[k * TILE_ROWS + i * 8u + line] * w; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < ROWS; i++) {
    let row = first_row + i * 8u + line;
    let column = first_column + 4u * quad;
    store_pair(row, column, 0u, sums[i].x, sums[i].y);
    store_pair(row, column + 2u, 0u, sums[i].z, sums[i].w);
  }
}
