// The value of an 8-bit code: fr(fr(code * stat) * fr(1/127)). Needs float32.wgsl.

// Code number `index` of the word that holds it.
fn code_in(word: u32, index: u32) -> i32 {
  return extractBits(bitcast<i32>(word), 8u * (index & 3u), 8u);
}

fn decoded_code(code: i32, stat: u32, inverse127: u32) -> u32 {
  return product(product(from_i32(code), stat), inverse127);
}
