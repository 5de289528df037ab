// How far a weight is from its original, segment by segment (errorSums): a workgroup to a segment of 4096 elements, over which it goes twice, for
// the scale and for the sums. Scale and largest difference are exact, by integers; sums are float32.
// Needs float32.wgsl and float16.wgsl.

struct Params {
  // Elements of this slice, which starts at a segment.
  size: u32,
  block_size: u32,
  // Where the slice starts in its first block.
  offset: u32,
}

override bits: u32;
// Codes of LLM.int8(): signed numbers, of which 127 is the row's largest; the table is left alone.
override is_signed: bool;
override x_bits: u32;
override is_bfloat16: bool;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> absmax: array<u32>;
@group(0) @binding(4) var<storage, read> code: array<u32>;
@group(0) @binding(5) var<storage, read_write> sums: array<u32>;

const ONE_127TH = 0x3c010204u;

var<workgroup> table: array<u32, 256>;
var<workgroup> largest: atomic<u32>;
var<workgroup> largest_difference: atomic<u32>;
var<workgroup> partial: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let segment = group.y * groups.x + group.x;
  if (lane < (1u << bits)) { table[lane] = table_value(lane); }
  if (lane == 0u) {
    atomicStore(&largest, 0u);
    atomicStore(&largest_difference, 0u);
  }
  workgroupBarrier();
  let end = min((segment + 1u) * 4096u, params.size);
  // Neighbouring lanes read neighbouring elements.
  var most = 0u;
  for (var i = segment * 4096u + lane; i < end; i += 256u) { most = max(most, max(element(i) & ~SIGN, decode(i) & ~SIGN)); }
  atomicMax(&largest, most);
  workgroupBarrier();
  let unit = unit_of(atomicLoad(&largest));
  let reciprocal = 0x7f000000u - unit;
  var sum_of_lane = vec4f();
  var farthest = 0u;
  for (var i = segment * 4096u + lane; i < end; i += 256u) {
    let a = product(element(i), reciprocal);
    let b = product(decode(i), reciprocal);
    let difference = sum(a, b ^ SIGN);
    farthest = max(farthest, difference & ~SIGN);
    sum_of_lane += products(bitcast<f32>(a), bitcast<f32>(b), bitcast<f32>(difference));
  }
  atomicMax(&largest_difference, farthest);
  partial[lane] = sum_of_lane;
  workgroupBarrier();
  if (lane < 16u) { partial[lane] = total_of(lane, 16u, 256u); }
  workgroupBarrier();
  if (lane == 0u && segment * 4096u < params.size) { store(segment, unit, total_of(lane, 1u, 16u)); }
}

fn total_of(first: u32, apart: u32, end: u32) -> vec4f {
  var total = vec4f();
  for (var i = first; i < end; i += apart) { total += partial[i]; }
  return total;
}

// The squares of the difference, of both values, and their product.
fn products(a: f32, b: f32, difference: f32) -> vec4f {
  return vec4f(difference, a, b, a) * vec4f(difference, a, b, b);
}

// The power of two, within limits that leave its reciprocal a normal number too.
fn unit_of(magnitude: u32) -> u32 {
  return clamp(magnitude & INFINITY, 0x00800000u, 0x7e800000u);
}

fn store(segment: u32, unit: u32, sum_of_all: vec4f) {
  let is_finite = atomicLoad(&largest) < INFINITY;
  let total = bitcast<vec4u>(sum_of_all);
  let row = array<u32, 6>(unit, atomicLoad(&largest_difference), total.x, total.y, total.z, total.w);
  for (var i = 0u; i < 6u; i++) { sums[segment * 6u + i] = select(NOT_A_NUMBER, row[i], is_finite); }
}

fn table_value(entry: u32) -> u32 {
  if (is_signed) { return from_i32(i32(entry << 24u) >> 24u); }
  return code[entry];
}

fn element(index: u32) -> u32 {
  if (x_bits == 32u) { return x[index]; }
  let half = (x[index >> 1u] >> ((index & 1u) << 4u)) & 0xffffu;
  if (is_bfloat16) { return from_bfloat16(half); }
  return from_float16(half);
}

fn decode(index: u32) -> u32 {
  let value = product(table[code_at(index)], absmax[(params.offset + index) / params.block_size]);
  if (is_signed) { return product(value, ONE_127TH); }
  return value;
}

fn code_at(index: u32) -> u32 {
  if (bits == 8u) { return (codes[index >> 2u] >> ((index & 3u) << 3u)) & 0xffu; }
  // The even element of a byte is the upper nibble.
  return (codes[index >> 3u] >> (((index & 7u) ^ 1u) << 2u)) & 15u;
}
