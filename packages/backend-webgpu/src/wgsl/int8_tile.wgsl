// Integer product, 64 rows and 64 columns to a workgroup, 4 by 4 of them to a lane; 64 bytes of each row are staged at a time. Needs
// int8_product.wgsl, int8_operands.wgsl, dot4 and store_pair.

const TILE = 64u;
const ACROSS = 16u;
const STAGED = 16u;
// One more than there are fours of rows, for the banks.
const STRIDE = 17u;
const WEIGHTS = STAGED * STRIDE;

// Words of the same place in four neighbouring rows, of a and then of b; at the end the sums. All of the workgroup memory that every device has.
var<workgroup> fours: array<vec4<u32>, 1024>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.y * groups.x + group.x;
  let tiles_across = (params.n + TILE - 1u) / TILE;
  let first_row = tile / tiles_across * TILE;
  let first_column = tile % tiles_across * TILE;
  if (first_row >= params.m) {
    return;
  }
  let down = lane / ACROSS;
  let across = lane % ACROSS;
  var sums: array<vec4<i32>, 4>;
  let words = (params.k + 3u) / 4u;
  for (var word = 0u; word < words; word += STAGED) {
    stage(down, across, first_row, first_column, word);
    workgroupBarrier();
    let count = min(words - word, STAGED);
    for (var i = 0u; i < count; i++) {
      let x = fours[i * STRIDE + down];
      let weights = fours[WEIGHTS + i * STRIDE + across];
      sums[0] = dots(x.x, weights, sums[0]);
      sums[1] = dots(x.y, weights, sums[1]);
      sums[2] = dots(x.z, weights, sums[2]);
      sums[3] = dots(x.w, weights, sums[3]);
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) { fours[(down * 4u + i) * ACROSS + across] = bitcast<vec4<u32>>(sums[i]); }
  workgroupBarrier();
  store(lane, first_row, first_column);
}

// Neighbouring lanes read neighbouring words of a row. Rows behind the last one are not stored.
fn stage(four: u32, i: u32, first_row: u32, first_column: u32, first_word: u32) {
  let row = first_row + four * 4u;
  let column = first_column + four * 4u;
  let word = first_word + i;
  let last_row = params.m - 1u;
  let last_column = params.n - 1u;
  fours[i * STRIDE + four] = vec4<u32>(
    a_word(min(row, last_row), word),
    a_word(min(row + 1u, last_row), word),
    a_word(min(row + 2u, last_row), word),
    a_word(min(row + 3u, last_row), word),
  );
  fours[WEIGHTS + i * STRIDE + four] = vec4<u32>(
    b_word(min(column, last_column), word),
    b_word(min(column + 1u, last_column), word),
    b_word(min(column + 2u, last_column), word),
    b_word(min(column + 3u, last_column), word),
  );
}

fn dots(x: u32, weights: vec4<u32>, totals: vec4<i32>) -> vec4<i32> {
  return vec4<i32>(
    dot4(x, weights.x, totals.x),
    dot4(x, weights.y, totals.y),
    dot4(x, weights.z, totals.z),
    dot4(x, weights.w, totals.w),
  );
}

// Pairs of sums, row by row: neighbouring lanes write neighbouring words.
fn store(lane: u32, first_row: u32, first_column: u32) {
  for (var pair = lane; pair < TILE * TILE / 2u; pair += 256u) {
    let row = first_row + pair / (TILE / 2u);
    let column = first_column + pair % (TILE / 2u) * 2u;
    let four = bitcast<vec4<i32>>(fours[pair / 2u]);
    let sums = select(four.xy, four.zw, (pair & 1u) == 1u);
    if (row < params.m && column < params.n) { store_pair(row, column, sums.x, sums.y); }
  }
}
