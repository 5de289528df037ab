// Rows of whole sixteens of bytes, each loaded at once. Needs int8_product.wgsl.

@group(0) @binding(1) var<storage, read> a: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<u32>>;

fn a_words(row: u32, i: u32) -> vec4<u32> {
  return a[row * (params.k >> 4u) + i];
}

fn b_words(row: u32, i: u32) -> vec4<u32> {
  return b[row * (params.k >> 4u) + i];
}
