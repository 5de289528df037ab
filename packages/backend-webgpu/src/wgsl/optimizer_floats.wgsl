// Parameters and gradients of any float type, as bit patterns of f32. Needs float16.wgsl, and `param_word` and `grad` of the kernel.

// 0 is float32, 1 float16, 2 bfloat16.
override param_type: u32;
override grad_type: u32;

fn param_at(i: u32) -> u32 {
  if (param_type == 0u) { return param_word(i); }
  return widened(param_word(i >> 1u), i, param_type);
}

fn grad_at(i: u32) -> u32 {
  if (grad_type == 0u) { return grad[i]; }
  return widened(grad[i >> 1u], i, grad_type);
}

// Even elements are the lower halves of words.
fn widened(word: u32, i: u32, float_type: u32) -> u32 {
  let half = (word >> (16u * (i & 1u))) & 0xffffu;
  if (float_type == 2u) { return from_bfloat16(half); }
  return from_float16(half);
}

fn narrowed(bits: u32) -> u32 {
  if (param_type == 2u) { return to_bfloat16(bits); }
  return to_float16(bits);
}
