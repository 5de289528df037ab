// What codes of 8-bit states are read and written with: of each map its values by code, the ordered keys of the midpoints between neighbours, and the
// code of every rank. One workgroup for each map. Needs float32.wgsl.

// Midpoints of neighbours by code, as CUDA takes them, not by value.
override keeps_order: bool;

@group(0) @binding(1) var<storage, read> code1: array<u32>;
@group(0) @binding(2) var<storage, read> code2: array<u32>;
@group(0) @binding(3) var<storage, read_write> maps: array<u32>;

const HALF = 0x3f000000u;

var<workgroup> values: array<u32, 256>;
var<workgroup> sorted: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (group.x > 1u || group.y > 0u) { return; }
  if (group.x == 0u) { values[lane] = code1[lane]; } else { values[lane] = code2[lane]; }
  workgroupBarrier();
  let rank = rank_of(lane);
  sorted[rank] = values[lane];
  workgroupBarrier();
  let begin = group.x * 768u;
  maps[begin + lane] = values[lane];
  maps[begin + 512u + rank] = lane;
  // Behind the last one nothing is.
  var bound = 0xffffffffu;
  if (lane < 255u) { bound = ordered_key(product(sum(sorted[lane], sorted[lane + 1u]), HALF)); }
  maps[begin + 256u + lane] = bound;
}

// Of equal values the lower code comes first.
fn rank_of(lane: u32) -> u32 {
  if (keeps_order) { return lane; }
  let key = ordered_key(values[lane]);
  var rank = 0u;
  for (var other = 0u; other < 256u; other++) {
    let other_key = ordered_key(values[other]);
    rank += u32(other_key < key || (other_key == key && other < lane));
  }
  return rank;
}
