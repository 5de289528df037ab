// Sums over the lanes of a workgroup, pairwise.

var<workgroup> of_lanes: array<i32, MOST_SUMS * LANES>;

fn add_up(lane: u32, sums: ptr<function, array<i32, MOST_SUMS>>, count: u32) {
  for (var i = 0u; i < count; i++) { of_lanes[i * LANES + lane] = (*sums)[i]; }
  for (var step = LANES / 2u; step > 0u; step >>= 1u) {
    workgroupBarrier();
    if (lane < step) {
      for (var i = 0u; i < count; i++) { of_lanes[i * LANES + lane] += of_lanes[i * LANES + lane + step]; }
    }
  }
  workgroupBarrier();
}

fn total_of(i: u32) -> i32 {
  return of_lanes[i * LANES];
}
