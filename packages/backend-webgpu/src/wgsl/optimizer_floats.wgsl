// Parameters and gradients of any float type, as bit patterns of f32. Only the width of parameters makes a kernel another one: the rest is the same
// branch for all lanes. Needs float16.wgsl, optimizer_rule.wgsl, and `param_word` and `grad` of the kernel.

// Parameters of 32 bits, else of 16.
override param_is_wide: bool;

// Of `params.param_type` and `params.grad_type`.
const FLOAT32 = 0u;
const BFLOAT16 = 2u;

fn param_at(i: u32) -> u32 {
  if (param_is_wide) { return param_word(i); }
  return widened(param_word(i >> 1u), i, params.param_type);
}

fn grad_at(i: u32) -> u32 {
  if (params.grad_type == FLOAT32) { return grad[i]; }
  return widened(grad[i >> 1u], i, params.grad_type);
}

// Even elements are the lower halves of words.
fn widened(word: u32, i: u32, float_type: u32) -> u32 {
  let half = (word >> (16u * (i & 1u))) & 0xffffu;
  if (float_type == BFLOAT16) { return from_bfloat16(half); }
  return from_float16(half);
}

fn narrowed(bits: u32) -> u32 {
  if (params.param_type == BFLOAT16) { return to_bfloat16(bits); }
  return to_float16(bits);
}
