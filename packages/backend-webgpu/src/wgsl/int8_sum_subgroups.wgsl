// Sums over the lanes of a workgroup: of each subgroup at once, then of the subgroups, in any order, for integers do not mind. Needs subgroups.

var<workgroup> totals: array<atomic<i32>, MOST_SUMS>;

fn add_up(lane: u32, sums: ptr<function, array<i32, MOST_SUMS>>, count: u32) {
  if (lane < count) { atomicStore(&totals[lane], 0); }
  workgroupBarrier();
  for (var i = 0u; i < count; i++) {
    let of_subgroup = subgroupAdd((*sums)[i]);
    if (subgroupElect()) { atomicAdd(&totals[i], of_subgroup); }
  }
  workgroupBarrier();
}
