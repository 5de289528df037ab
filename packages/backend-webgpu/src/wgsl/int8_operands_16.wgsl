// Rows of whole sixteens of bytes, each loaded at once. Needs int8_product.wgsl and dot4.

@group(0) @binding(1) var<storage, read> a: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<u32>>;

// What a lane takes at a time.
alias Chunk = vec4<u32>;
const CHUNK_BYTES = 16u;

fn a_chunk(row: u32, i: u32) -> Chunk {
  return a[row * (params.k >> 4u) + i];
}

fn b_chunk(row: u32, i: u32) -> Chunk {
  return b[row * (params.k >> 4u) + i];
}

fn dot_chunk(a: Chunk, b: Chunk, total: i32) -> i32 {
  return dot4(a.w, b.w, dot4(a.z, b.z, dot4(a.y, b.y, dot4(a.x, b.x, total))));
}
