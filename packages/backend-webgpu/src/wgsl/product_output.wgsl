// How sums become outputs: bias added, rounded, stored. Needs product.wgsl; the weight's module declares `bias` and `out`.

const ABSENT = 3u;


fn narrowed(value: f32) -> u32 {
  if (params.out_kind == BFLOAT16) { return to_bfloat16(bitcast<u32>(value)); }
  return to_float16(bitcast<u32>(value));
}

fn bias_at(column: u32) -> f32 {
  if (params.bias_kind == ABSENT) { return 0.0; }
  if (params.bias_kind == FLOAT32) { return bitcast<f32>(bias[column]); }
  return widened(bias[column >> 1u], column & 1u, params.bias_kind);
}

fn store_float32(at: u32, value: f32) {
  if (params.accumulates != 0u) {
    out[at] = bitcast<u32>(bitcast<f32>(out[at]) + value);
  } else {
    out[at] = bitcast<u32>(value);
  }
}

// Two neighbours in a row, the first at an even column. 16-bit ones are stored by words: then rows have an even number of columns.
fn store_pair(row: u32, column: u32, plane: u32, first: f32, second: f32) {
  if (row >= params.rows || column >= params.columns) { return; }
  let in_row = params.out_begin + column;
  let at = plane * params.plane + row * params.out_stride + in_row;
  let has_second = column + 1u < params.columns;
  let values = vec2f(first + bias_at(in_row), second + bias_at(select(in_row, in_row + 1u, has_second)));
  if (params.out_kind != FLOAT32) {
    out[at >> 1u] = narrowed(values.x) | (narrowed(values.y) << 16u);
    return;
  }
  store_float32(at, values.x);
  if (has_second) { store_float32(at + 1u, values.y); }
}
