// out += x[:, listed] * weight[:, listed], where the integer part stands already, rounded to the dtype, as upstream has it. The decoded weight is
// rounded to that dtype too. 16 rows and 64 columns to a workgroup, four rows of a column to a lane. Needs float32.wgsl, float16.wgsl,
// float_elements.wgsl and int8_code.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  out_columns: u32,
  first_column: u32,
  inverse127: u32,
}

override dtype: u32;

const ROWS = 16u;
const COLUMNS = 64u;
const STAGED = 16u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> list: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read> col_stats: array<u32>;
// Two lanes may hold the halves of a word.
@group(0) @binding(5) var<storage, read_write> out: array<atomic<u32>>;

var<workgroup> shared_count: u32;
var<workgroup> activations: array<f32, STAGED * ROWS>;
var<workgroup> weights: array<f32, STAGED * COLUMNS>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.y * groups.x + group.x;
  let tiles_across = (params.n + COLUMNS - 1u) / COLUMNS;
  let first_row = tile / tiles_across * ROWS;
  let first_column = tile % tiles_across * COLUMNS;
  if (first_row >= params.m) {
    return;
  }
  if (lane == 0u) { shared_count = list[0]; }
  let count = workgroupUniformLoad(&shared_count);
  let four = lane / COLUMNS * 4u;
  let column = lane % COLUMNS;
  var sums = vec4<f32>();
  for (var at = 0u; at < count; at += STAGED) {
    stage(lane, at, count, first_row, first_column);
    workgroupBarrier();
    for (var i = 0u; i < STAGED; i++) {
      let begin = i * ROWS + four;
      let of_rows = vec4<f32>(activations[begin], activations[begin + 1u], activations[begin + 2u], activations[begin + 3u]);
      sums += of_rows * weights[i * COLUMNS + column];
    }
    workgroupBarrier();
  }
  if (count == 0u || first_column + column >= params.n) {
    return;
  }
  for (var i = 0u; i < 4u; i++) {
    let row = first_row + four + i;
    if (row < params.m) { add(row * params.out_columns + params.first_column + first_column + column, sums[i]); }
  }
}

// The next listed columns; zeros where there are no more, or no such row.
fn stage(lane: u32, at: u32, count: u32, first_row: u32, first_column: u32) {
  for (var i = lane; i < STAGED * ROWS; i += 256u) { activations[i] = activation(at + i / ROWS, count, first_row + i % ROWS); }
  for (var i = lane; i < STAGED * COLUMNS; i += 256u) { weights[i] = weight(at + i / COLUMNS, count, first_column + i % COLUMNS); }
}

fn activation(outlier: u32, count: u32, row: u32) -> f32 {
  if (outlier >= count || row >= params.m) { return 0.0; }
  let index = row * params.k + list[1u + outlier];
  return bitcast<f32>(widened(x[index / elements_in_word(dtype)], index, dtype));
}

fn weight(outlier: u32, count: u32, column: u32) -> f32 {
  if (outlier >= count || column >= params.n) { return 0.0; }
  let index = column * params.k + list[1u + outlier];
  let decoded = decoded_code(code_in(b[index >> 2u], index), col_stats[column], params.inverse127);
  return bitcast<f32>(widened(narrowed(decoded, dtype), 0u, dtype));
}

fn add(index: u32, addend: f32) {
  let word = index / elements_in_word(dtype);
  let before = atomicLoad(&out[word]);
  let old = widened(before, index, dtype);
  let result = narrowed(bitcast<u32>(bitcast<f32>(old) + addend), dtype);
  if (dtype == FLOAT32) {
    atomicStore(&out[word], result);
    return;
  }
  // The half of the word that is this lane's, and nothing of the other one.
  let shift = 16u * (index & 1u);
  atomicXor(&out[word], (((before >> shift) & 0xffffu) ^ result) << shift);
}
