// Decodes 4-bit codes in blocks of a multiple of 8 elements, at least 32: the 16 values of each block of a tile are made once, in the output
// dtype, and elements look theirs up. A workgroup takes a tile of 4096 elements. Nested scales are decoded on the way. Needs decode_task.wgsl.

override is_nested: bool;

@group(0) @binding(1) var<storage, read> codes: array<u32>;
// Floats, or the bytes of nested scales.
@group(0) @binding(2) var<storage, read> absmax: array<u32>;
@group(0) @binding(3) var<storage, read> code: array<u32>;
@group(0) @binding(4) var<storage, read> nested_absmax: array<u32>;
@group(0) @binding(5) var<storage, read> nested_code: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4u>;

// A tile of blocks of 32 that starts and ends within a block touches 129 of them.
var<workgroup> scales: array<u32, 129>;
var<workgroup> table: array<u32, 2064>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = (group.y * groups.x + group.x) * 4096u;
  if (begin >= params.size) { return; }
  let end = min(begin + 4096u, params.size);
  let first_block = block_of(begin);
  let blocks = block_of(end - 1u) - first_block + 1u;
  for (var block = lane; block < blocks; block += 256u) { scales[block] = scale_of(first_block + block); }
  workgroupBarrier();
  for (var entry = lane; entry < blocks << 4u; entry += 256u) {
    table[entry] = narrowed(product(code[entry & 15u], scales[entry >> 4u]));
  }
  workgroupBarrier();
  let count = 128u / out_bits;
  for (var first = begin + lane * count; first < end; first += 256u * count) {
    out[first / count] = look_up(first, (block_of(first) - first_block) << 4u);
  }
}

// The values of neighbouring elements of one block, of which the table begins at `row`.
fn look_up(first: u32, row: u32) -> vec4u {
  let word = codes[first >> 3u];
  let packed = select(word, word >> 16u, (first & 4u) != 0u);
  var values: array<u32, 8>;
  for (var i = 0u; i < 128u / out_bits; i++) {
    // The even element of a byte is the upper nibble.
    values[i] = table[row + ((packed >> ((i ^ 1u) << 2u)) & 15u)];
  }
  return vector_of(values, first);
}

fn scale_of(block: u32) -> u32 {
  if (!is_nested) { return absmax[block]; }
  let byte = (absmax[block >> 2u] >> ((block & 3u) << 3u)) & 0xffu;
  return with_offset(product(nested_code[byte], nested_absmax[(params.first_block + block) / params.nested_block_size]));
}
