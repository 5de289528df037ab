// LLM.int8(), first pass: the largest magnitude of each row that is no outlier, the scale that follows from it, and which columns have outliers.
// A workgroup takes a row; magnitudes are compared as integers. Needs float32.wgsl, float16.wgsl and float_elements.wgsl.

struct Params {
  rows: u32,
  k: u32,
  // The least magnitude of an outlier; all ones: there are none.
  threshold: u32,
  fault_index: u32,
}

override lanes: u32;
override dtype: u32;

const MAGNITUDE_127 = 0x42fe0000u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> row_stats: array<u32>;
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;
// A byte to a column.
@group(0) @binding(4) var<storage, read_write> outlier_columns: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> faults: array<atomic<u32>>;

var<workgroup> largest_of_row: atomic<u32>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  if (lane == 0u) { atomicStore(&largest_of_row, 0u); }
  let largest = largest_of_lane(row * params.k, lane);
  workgroupBarrier();
  atomicMax(&largest_of_row, largest);
  workgroupBarrier();
  if (lane == 0u) {
    let absmax = atomicLoad(&largest_of_row);
    row_stats[row] = absmax;
    // A row of zeros gives codes of zero.
    scales[row] = select(product(reciprocal(absmax), MAGNITUDE_127), 0u, absmax == 0u);
  }
}

// Whole words, of which the first and the last may hold an element of a neighbouring row.
fn largest_of_lane(begin: u32, lane: u32) -> u32 {
  let count = elements_in_word(dtype);
  let end = begin + params.k;
  var largest = 0u;
  for (var word = begin / count + lane; word * count < end; word += lanes) {
    let held = x[word];
    for (var i = 0u; i < count; i++) {
      let index = word * count + i;
      if (index >= begin && index < end) { largest = max(largest, look_at(widened(held, index, dtype) & ~SIGN, index, index - begin)); }
    }
  }
  return largest;
}

// Its part in the row's largest magnitude: none of an outlier, which is marked, or of NaN.
fn look_at(magnitude: u32, index: u32, column: u32) -> u32 {
  if (magnitude >= INFINITY) { atomicMax(&faults[params.fault_index], ~index); }
  if (magnitude > INFINITY) { return 0u; }
  if (magnitude < params.threshold) { return magnitude; }
  atomicOr(&outlier_columns[column >> 2u], 1u << (8u * (column & 3u)));
  return 0u;
}
