// Integer sums to floats. A lane takes a word of results: one float32, or two elements of 16 bits, perhaps of two rows. Needs int8_scale.wgsl.

struct Params {
  size: u32,
  columns: u32,
  // Bits of 1/127^2, as the profile has it.
  scale: u32,
  bias_dtype: u32,
  out_dtype: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<i32>;
@group(0) @binding(2) var<storage, read> row_stats: array<u32>;
@group(0) @binding(3) var<storage, read> col_stats: array<u32>;
// Anything where there is none.
@group(0) @binding(4) var<storage, read> bias: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = (group.y * groups.x + group.x) * 256u + lane;
  let count = elements_in_word(params.out_dtype);
  let begin = word * count;
  if (begin >= params.size) {
    return;
  }
  var results = result_of(begin);
  if (count == 2u && begin + 1u < params.size) { results |= result_of(begin + 1u) << 16u; }
  out[word] = results;
}

fn result_of(index: u32) -> u32 {
  let row = index / params.columns;
  let column = index - row * params.columns;
  var addend = 0u;
  if (params.bias_dtype != NO_BIAS) { addend = widened(bias[column / elements_in_word(params.bias_dtype)], column, params.bias_dtype); }
  return narrowed(scaled(a[index], row_stats[row], col_stats[column], addend, params.bias_dtype, params.scale), params.out_dtype);
}
