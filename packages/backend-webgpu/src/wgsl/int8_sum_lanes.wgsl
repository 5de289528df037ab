// Sums over the lanes of a workgroup, in any order, for integers do not mind. Two barriers: a tree of them would cost more than it saves.

var<workgroup> totals: array<atomic<i32>, MOST_SUMS>;

fn add_up(lane: u32, sums: ptr<function, array<i32, MOST_SUMS>>, count: u32) {
  if (lane < count) { atomicStore(&totals[lane], 0); }
  workgroupBarrier();
  for (var i = 0u; i < count; i++) { atomicAdd(&totals[i], (*sums)[i]); }
  workgroupBarrier();
}
