// What an integer sum stands for: scaled with the roundings of a profile, one by one, by integers. Needs float32.wgsl, fused_multiply_add.wgsl,
// float16.wgsl and float_elements.wgsl.

override is_cuda: bool;

const NO_BIAS = 3u;

// Without a bias nothing is added: -0 would become +0. Which dtypes there are is no constant: it would be a pipeline for each.
fn scaled(total: i32, row_stat: u32, col_stat: u32, addend: u32, bias_dtype: u32, scale: u32) -> u32 {
  if (is_cuda) { return scaled_cuda(total, row_stat, col_stat, addend, bias_dtype, scale); }
  let value = product(product(from_i32(total), product(row_stat, col_stat)), scale);
  if (bias_dtype == NO_BIAS) { return value; }
  return sum(value, addend);
}

// Upstream's CUDA source stores float16 whatever the output dtype; a float16 bias is fused, another is added to that in place.
fn scaled_cuda(total: i32, row_stat: u32, col_stat: u32, addend: u32, bias_dtype: u32, scale: u32) -> u32 {
  let value = product(product(from_i32(total), row_stat), col_stat);
  let fused = fused_multiply_add(value, scale, select(0u, addend, bias_dtype == FLOAT16));
  let half = from_float16(to_float16(fused));
  if (bias_dtype == NO_BIAS || bias_dtype == FLOAT16) { return half; }
  return from_float16(to_float16(sum(half, addend)));
}
