// Table value times absmax, by integers, then one rounding to the output dtype. A lane takes one word of codes: 8 elements of 4 bits, the
// first in the high nibble of its byte, or 4 of 8 bits. Needs float32.wgsl and float16.wgsl.

struct Params {
  size: u32,
  block_size: u32,
  // Bits of a float that is added to every product; 0: none.
  offset: u32,
}

override bits: u32;
// Bits of an output element, and whether 16 of them are a bfloat16.
override out_bits: u32;
override is_bfloat16: bool;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> absmax: array<u32>;
@group(0) @binding(3) var<storage, read> code: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

var<workgroup> table: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  if (lane < (1u << bits)) {
    table[lane] = code[lane];
  }
  workgroupBarrier();
  let word = (group.y * groups.x + group.x) * 256u + lane;
  let count = 32u / bits;
  if (word >= (params.size - 1u) / count + 1u) {
    return;
  }
  let packed = codes[word];
  let begin = word * count;
  for (var i = 0u; i < count; i += 32u / out_bits) {
    store(begin + i, packed, i);
  }
}

// One word of output; what lies behind the last element is zero.
fn store(index: u32, packed: u32, i: u32) {
  if (index >= params.size) {
    return;
  }
  let first = decode(index, packed, i);
  if (out_bits == 32u) {
    out[index] = first;
    return;
  }
  var second = 0u;
  if (index + 1u < params.size) {
    second = narrow(decode(index + 1u, packed, i + 1u));
  }
  out[index >> 1u] = narrow(first) | (second << 16u);
}

fn decode(index: u32, packed: u32, i: u32) -> u32 {
  let decoded = product(table[code_at(packed, i)], absmax[index / params.block_size]);
  if (params.offset == 0u) {
    return decoded;
  }
  return sum(decoded, params.offset);
}

fn code_at(packed: u32, i: u32) -> u32 {
  if (bits == 8u) {
    return (packed >> (8u * i)) & 0xffu;
  }
  // The even element of a byte is the upper nibble.
  return (packed >> (4u * (i ^ 1u))) & 15u;
}

fn narrow(float_bits: u32) -> u32 {
  if (is_bfloat16) {
    return to_bfloat16(float_bits);
  }
  return to_float16(float_bits);
}
