// Sums of products of signed bytes, with integer multiplications alone: the same numbers as dot4I8Packed.

fn bytes_of(word: u32) -> vec4<i32> {
  return (vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
}

fn dot4(a: u32, b: u32, total: i32) -> i32 {
  let products = bytes_of(a) * bytes_of(b);
  return total + products.x + products.y + products.z + products.w;
}
