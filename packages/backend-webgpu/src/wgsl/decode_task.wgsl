// What the decoders are told, and how they store. Needs float32.wgsl and float16.wgsl.

struct Params {
  // Elements of this slice, which starts at a block.
  size: u32,
  block_size: u32,
  // log2 of the block size where it is a power of two, else 32.
  block_shift: u32,
  // Bits of a float that is added to every product, of nested scales to the scales; 0: none.
  offset: u32,
  // Of nested scales: their block size, and the number of this slice's first block among them.
  nested_block_size: u32,
  first_block: u32,
}

// Bits of an output element, and whether 16 of them are a bfloat16.
override out_bits: u32;
override is_bfloat16: bool;

@group(0) @binding(0) var<uniform> params: Params;

fn block_of(index: u32) -> u32 {
  if (params.block_shift < 32u) { return index >> params.block_shift; }
  return index / params.block_size;
}

// A product with what is added to it. A sum with nothing would lose the sign of zero.
fn with_offset(value: u32) -> u32 {
  if (params.offset == 0u) { return value; }
  return sum(value, params.offset);
}

// To the output dtype, in the lower bits.
fn narrowed(float_bits: u32) -> u32 {
  if (out_bits == 32u) { return float_bits; }
  if (is_bfloat16) { return to_bfloat16(float_bits); }
  return to_float16(float_bits);
}

// 16 bytes of output: four elements of 32 bits or eight of 16, narrowed. Those behind the end are zero.
fn vector_of(values: array<u32, 8>, first: u32) -> vec4u {
  var kept = values;
  if (first + 8u > params.size) {
    for (var i = 0u; i < 8u; i++) { kept[i] = select(0u, values[i], first + i < params.size); }
  }
  if (out_bits == 32u) { return vec4u(kept[0], kept[1], kept[2], kept[3]); }
  return vec4u(
    kept[0] | (kept[1] << 16u),
    kept[2] | (kept[3] << 16u),
    kept[4] | (kept[5] << 16u),
    kept[6] | (kept[7] << 16u),
  );
}
