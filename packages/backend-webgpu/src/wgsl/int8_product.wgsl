// What all kernels of an integer product are told: rows of a times rows of b, of k bytes both. Of the result's columns these are some.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  out_columns: u32,
  first_column: u32,
  // Bits of 1/127^2, as the profile has it.
  scale: u32,
  // Of the result, where it is scaled.
  bias_dtype: u32,
  out_dtype: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
