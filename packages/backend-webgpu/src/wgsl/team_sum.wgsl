// The sum over a team of 32 lanes, in its first lane; through workgroup memory. Uniform control flow only.

var<workgroup> team_values: array<vec2f, 256>;

fn team_sum(value: vec2f, lane: u32) -> vec2f {
  team_values[lane] = value;
  for (var distance = 16u; distance > 0u; distance >>= 1u) {
    workgroupBarrier();
    if (lane % 32u < distance) { team_values[lane] += team_values[lane + distance]; }
  }
  let sum = team_values[lane];
  // The next value goes to the same place.
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  narrow(group.y * groups.x + group.x, lane);
}
