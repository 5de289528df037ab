// The sums themselves are the result. Needs int8_product.wgsl.

@group(0) @binding(3) var<storage, read_write> out: array<i32>;

// Two neighbours in a row, of which the second may be behind its end.
fn store_pair(row: u32, column: u32, first: i32, second: i32) {
  let index = row * params.out_columns + params.first_column + column;
  out[index] = first;
  if (column + 1u < params.n) { out[index + 1u] = second; }
}
