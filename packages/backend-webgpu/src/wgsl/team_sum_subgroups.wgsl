// The sum over a team of 32 lanes, in its first lane. Subgroups have 4 to 128 lanes: small ones leave some sums for workgroup memory, large ones
// hold several teams. Uniform control flow only.

var<private> subgroup_lanes: u32;
var<workgroup> team_values: array<vec2f, 64>;

fn team_sum(value: vec2f, lane: u32) -> vec2f {
  let size = min(subgroup_lanes, 32u);
  var sum = value;
  for (var distance = 1u; distance < 32u; distance <<= 1u) {
    let other = subgroupShuffleXor(sum, distance);
    sum += select(vec2f(), other, distance < size);
  }
  if (lane % size == 0u) { team_values[lane / size] = sum; }
  workgroupBarrier();
  var total = vec2f();
  let first = lane / 32u * (32u / size);
  for (var i = 0u; i < 32u / size; i++) { total += team_values[first + i]; }
  // The next value goes to the same place.
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  subgroup_lanes = lanes;
  narrow(group.y * groups.x + group.x, lane);
}
