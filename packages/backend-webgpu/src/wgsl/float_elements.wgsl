// Elements of tensors of any float dtype, in whole words: two of 16 bits to a word, the first in the low half. Needs float16.wgsl.

const FLOAT32 = 0u;
const FLOAT16 = 1u;
const BFLOAT16 = 2u;

fn elements_in_word(dtype: u32) -> u32 {
  return select(2u, 1u, dtype == FLOAT32);
}

// The float32 bits of element `index`, of the word that it lies in.
fn widened(word: u32, index: u32, dtype: u32) -> u32 {
  if (dtype == FLOAT32) { return word; }
  let half = (word >> (16u * (index & 1u))) & 0xffffu;
  if (dtype == BFLOAT16) { return from_bfloat16(half); }
  return from_float16(half);
}

// The bits of one element.
fn narrowed(bits: u32, dtype: u32) -> u32 {
  if (dtype == FLOAT32) { return bits; }
  if (dtype == BFLOAT16) { return to_bfloat16(bits); }
  return to_float16(bits);
}
