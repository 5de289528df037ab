// What all matrix products share: out[row, column] = Σ x[row, inner] · w[column, inner] + bias[column], summed in float32. Needs float32.wgsl and
// float16.wgsl; the kernel declares `x`.

struct Params {
  // Of x and of out.
  rows: u32,
  // Of out, as far as this run makes them.
  columns: u32,
  // Terms of a sum.
  inner: u32,
  // Elements from one row of x to the next, and before the first one.
  x_stride: u32,
  x_begin: u32,
  out_stride: u32,
  out_begin: u32,
  // Elements from one set of partial sums to the next.
  plane: u32,
  // How many sets, and how many times 32 terms a kernel that splits its sums puts in each.
  planes: u32,
  split_chunks: u32,
  // Elements from one row of the weight to the next.
  weight_stride: u32,
  // Of a weight in blocks. The first element lies in its first block, that many elements from the block's beginning.
  block_size: u32,
  first_in_block: u32,
  // Of nested scales: where the first of them stands in the whole tensor, and what is added to each.
  first_block: u32,
  nested_block_size: u32,
  offset: f32,
  is_nested: u32,
  // What is stored, and what is added to it.
  out_kind: u32,
  bias_kind: u32,
  // Whether the sums are added to those that stand in `out`.
  accumulates: u32,
}

const FLOAT32 = 0u;
const FLOAT16 = 1u;
const BFLOAT16 = 2u;

override x_kind: u32;
@group(0) @binding(0) var<uniform> params: Params;

// An element of a word, exactly: 16-bit ones by integers, for devices may flush subnormals.
fn widened(word: u32, half: u32, kind: u32) -> f32 {
  if (kind == FLOAT32) { return bitcast<f32>(word); }
  let bits = (word >> (16u * half)) & 0xffffu;
  if (kind == BFLOAT16) { return bitcast<f32>(from_bfloat16(bits)); }
  return bitcast<f32>(from_float16(bits));
}

fn widened4(first: u32, second: u32, kind: u32) -> vec4f {
  return vec4f(widened(first, 0u, kind), widened(first, 1u, kind), widened(second, 0u, kind), widened(second, 1u, kind));
}
