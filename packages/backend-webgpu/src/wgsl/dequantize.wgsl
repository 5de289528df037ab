// Table value times absmax, by integers, then one rounding to the output dtype, element by element: any block size, 4 or 8 bits. A lane stores
// 16 bytes. Needs decode_task.wgsl.

override bits: u32;

@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> absmax: array<u32>;
@group(0) @binding(3) var<storage, read> code: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4u>;

var<workgroup> table: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  if (lane < (1u << bits)) { table[lane] = code[lane]; }
  workgroupBarrier();
  let vector = (group.y * groups.x + group.x) * 256u + lane;
  let count = 128u / out_bits;
  let first = vector * count;
  if (first >= params.size) { return; }
  var values: array<u32, 8>;
  for (var i = 0u; i < count; i++) { values[i] = narrowed(decode(first + i)); }
  out[vector] = vector_of(values, first);
}

fn decode(index: u32) -> u32 {
  return with_offset(product(table[code_at(index)], absmax[block_of(index)]));
}

fn code_at(index: u32) -> u32 {
  if (bits == 8u) { return (codes[index >> 2u] >> ((index & 3u) << 3u)) & 0xffu; }
  // The even element of a byte is the upper nibble.
  return (codes[index >> 3u] >> (((index & 7u) ^ 1u) << 2u)) & 15u;
}
