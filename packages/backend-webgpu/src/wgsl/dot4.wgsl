// Of four int8 in a word each: what dot4I8Packed gives, for devices that have no such instruction.

fn dot4(a: u32, b: u32) -> i32 {
  let shifts = vec4u(24u, 16u, 8u, 0u);
  let left = bitcast<vec4i>(vec4u(a) << shifts) >> vec4u(24u);
  let right = bitcast<vec4i>(vec4u(b) << shifts) >> vec4u(24u);
  let products = left * right;
  return products.x + products.y + products.z + products.w;
}
