// Sums over the lanes of a workgroup, in any order, for integers do not mind. One barrier: a tree of them would cost more than it saves.

var<workgroup> totals: array<atomic<i32>, MOST_SUMS>;

fn add_up(sums: ptr<function, array<i32, MOST_SUMS>>, count: u32) {
  for (var i = 0u; i < count; i++) { atomicAdd(&totals[i], (*sums)[i]); }
  workgroupBarrier();
}
