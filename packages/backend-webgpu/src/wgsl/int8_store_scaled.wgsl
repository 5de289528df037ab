// Scaled sums are the result. A pair of 16-bit results is a word: then a row has an even number of columns. Needs int8_product.wgsl and
// int8_scale.wgsl.

@group(0) @binding(3) var<storage, read> row_stats: array<u32>;
@group(0) @binding(4) var<storage, read> col_stats: array<u32>;
// Anything where there is none.
@group(0) @binding(5) var<storage, read> bias: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<u32>;

fn result_of(row: u32, column: u32, total: i32) -> u32 {
  var addend = 0u;
  if (params.bias_dtype != NO_BIAS) { addend = widened(bias[column / elements_in_word(params.bias_dtype)], column, params.bias_dtype); }
  return narrowed(scaled(total, row_stats[row], col_stats[column], addend, params.bias_dtype, params.scale), params.out_dtype);
}

// Two neighbours in a row, of which the second may be behind its end.
fn store_pair(row: u32, column: u32, first: i32, second: i32) {
  let index = row * params.out_columns + params.first_column + column;
  let results = vec2<u32>(result_of(row, column, first), result_of(row, min(column + 1u, params.n - 1u), second));
  if (params.out_dtype != FLOAT32) {
    out[index >> 1u] = results.x | (results.y << 16u);
    return;
  }
  out[index] = results.x;
  if (column + 1u < params.n) { out[index + 1u] = results.y; }
}
