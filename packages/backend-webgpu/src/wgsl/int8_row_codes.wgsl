// LLM.int8(), second pass: rint(x * scale) as bytes, zero in the columns of outliers. A lane takes a word of codes, wherever its rows begin.
// Needs float32.wgsl, float16.wgsl and float_elements.wgsl.

struct Params {
  size: u32,
  k: u32,
}

override dtype: u32;
override has_outliers: bool;

const HALF = 0x3f000000u;
const MAGNITUDE_127 = 0x42fe0000u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> outlier_columns: array<u32>;
@group(0) @binding(4) var<storage, read_write> q: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = (group.y * groups.x + group.x) * 256u + lane;
  if (word >= (params.size + 3u) / 4u) {
    return;
  }
  let begin = word * 4u;
  var row = begin / params.k;
  var column = begin - row * params.k;
  var packed = 0u;
  for (var i = 0u; i < 4u && begin + i < params.size; i++) {
    if (!is_cleared(column)) { packed |= (code_of(begin + i, scales[row]) & 0xffu) << (8u * i); }
    column++;
    if (column == params.k) {
      column = 0u;
      row++;
    }
  }
  q[word] = packed;
}

fn is_cleared(column: u32) -> bool {
  return has_outliers && ((outlier_columns[column >> 2u] >> (8u * (column & 3u))) & 0xffu) == 1u;
}

fn code_of(index: u32, scale: u32) -> u32 {
  let scaled = product(widened(x[index / elements_in_word(dtype)], index, dtype), scale);
  let magnitude = rounded_magnitude(scaled & ~SIGN);
  return select(magnitude, 0u - magnitude, scaled >= SIGN);
}

// To an integer, ties to even. NaN gives 0; beyond 127 it is only where the reciprocal of a subnormal number was infinite.
fn rounded_magnitude(bits: u32) -> u32 {
  if (bits > INFINITY || bits < HALF) { return 0u; }
  if (bits >= MAGNITUDE_127) { return 127u; }
  let shift = 150u - (bits >> 23u);
  let mantissa = (bits & 0x7fffffu) | LEADING_ONE;
  return round_half_even(mantissa >> shift, mantissa & ((1u << shift) - 1u), 1u << (shift - 1u));
}
