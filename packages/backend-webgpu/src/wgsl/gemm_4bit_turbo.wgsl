// Rows of int8, as turbo_quantize.wgsl leaves them, times a 4-bit weight whose table is rounded to int8: sums of 32 products are exact integers, which
// are scaled and added up in float32. A lane makes ROWS × 2 sums. Rows of the weight are multiples of 128 elements, blocks of 32. Needs scales4bit.wgsl
// and a `dot4`.

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;

// The two values of a byte, the upper nibble's first.
var<workgroup> pairs: array<u32, 256>;

fn largest_entry() -> f32 {
  var most = 0.0;
  for (var i = 0u; i < 16u; i++) { most = max(most, abs(code[i])); }
  return most;
}

fn rounded_entry(entry: u32, factor: f32) -> u32 {
  return bitcast<u32>(i32(round(code[entry] * factor))) & 0xffu;
}

fn scale_of(column: u32, inner: u32) -> f32 {
  return scale_at((column * params.weight_stride + inner + params.first_in_block) >> firstTrailingBit(params.block_size));
}

@compute @workgroup_size(32)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let most = largest_entry();
  let factor = select(127.0 / most, 0.0, most == 0.0);
  for (var i = lane; i < 256u; i += 32u) {
    pairs[i] = rounded_entry(i >> 4u, factor) | (rounded_entry(i & 15u, factor) << 8u);
  }
  workgroupBarrier();
  let tile = group.y * groups.x + group.x;
  let tiles = (params.columns + 63u) / 64u;
  let first_row = tile / tiles * ROWS;
  let column = tile % tiles * 64u + 2u * lane;
  if (first_row >= params.rows || column >= params.columns) { return; }
  // What is beyond the last row or column is computed from the last one, and not stored.
  let first = column * params.weight_stride / 8u;
  let second_column = min(column + 1u, params.columns - 1u);
  let second = second_column * params.weight_stride / 8u;
  var sums: array<vec2f, ROWS>;
  for (var inner = 0u; inner < params.inner; inner += 32u) {
    // With its value: lavapipe keeps that of the last turn where there is none.
    var parts = array<vec2i, ROWS>();
    for (var word = 0u; word < 8u; word++) {
      let w = vec2u(packed(first, inner, word), packed(second, inner, word));
      for (var i = 0u; i < ROWS; i++) {
        let value = x[group_at(first_row + i, inner) + (inner & 127u) / 4u + word];
        parts[i] += vec2i(dot4(value, w.x), dot4(value, w.y));
      }
    }
    let scales = vec2f(scale_of(column, inner), scale_of(second_column, inner)) * (most / 127.0);
    for (var i = 0u; i < ROWS; i++) {
      sums[i] += vec2f(parts[i]) * bitcast<f32>(x[group_at(first_row + i, inner) + 32u]) * scales;
    }
  }
  for (var i = 0u; i < ROWS; i++) { store_pair(first_row + i, column, 0u, sums[i].x, sums[i].y); }
}

// Where the 128 values begin that a term is one of.
fn group_at(row: u32, inner: u32) -> u32 {
  return (min(row, params.rows - 1u) * (params.inner / 128u) + inner / 128u) * 33u;
}

// Four elements of the weight, `word` times four behind `inner`.
fn packed(row_words: u32, inner: u32, word: u32) -> u32 {
  let bytes = codes[row_words + inner / 8u + word / 2u] >> (16u * (word & 1u));
  return pairs[bytes & 0xffu] | (pairs[(bytes >> 8u) & 0xffu] << 16u);
}
