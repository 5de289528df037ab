// Sums of products of signed bytes by one instruction, where the GPU has it. Needs packed_4x8_integer_dot_product.

fn dot4(a: u32, b: u32, total: i32) -> i32 {
  return total + dot4I8Packed(a, b);
}
