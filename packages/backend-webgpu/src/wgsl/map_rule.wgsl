// From a map of 256 values to its decisions: the ordered keys of the thresholds between neighbours, and the codes in ascending order of value,
// those of equal values in the order of the codes. Under profile cuda the map is taken as it is. Needs float32.wgsl.

override is_cuda: bool;

@group(0) @binding(1) var<storage, read> map: array<u32>;
@group(0) @binding(2) var<storage, read_write> rule: array<u32>;

const ONE_HALF = 0x3f000000u;

var<workgroup> values: array<u32, 256>;
var<workgroup> sorted: array<u32, 257>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  values[lane] = map[lane];
  workgroupBarrier();
  let rank = rank_of(lane);
  sorted[rank] = values[lane];
  workgroupBarrier();
  rule[256u + rank] = lane;
  // Nothing lies above the last value.
  let middle = product(sum(sorted[lane], sorted[lane + 1u]), ONE_HALF);
  rule[lane] = select(ordered_key(middle), 0xffffffffu, lane == 255u);
}

fn rank_of(code: u32) -> u32 {
  if (is_cuda) { return code; }
  let key = ordered_key(values[code]);
  var rank = 0u;
  for (var i = 0u; i < 256u; i++) {
    let other = ordered_key(values[i]);
    rank += u32(other < key || (other == key && i < code));
  }
  return rank;
}
