// Sums over teams of 32 lanes, of at most 4 rows at once. Subgroups have 4 to 128 lanes: small ones leave some sums of a team in workgroup memory,
// large ones hold several teams. After a barrier one lane collects what was left of a team.

const ROWS_AT_ONCE = min(ROWS, 4u);

var<private> subgroup_lanes: u32;
var<workgroup> team_values: array<vec2f, 64u * ROWS_AT_ONCE>;

fn leave(row: u32, lane: u32, value: vec2f) {
  let size = min(subgroup_lanes, 32u);
  var sum = value;
  for (var distance = 1u; distance < 32u; distance <<= 1u) {
    let other = subgroupShuffleXor(sum, distance);
    sum += select(vec2f(), other, distance < size);
  }
  if (lane % size == 0u) { team_values[row * 64u + lane / size] = sum; }
}

fn collected(row: u32, team: u32) -> vec2f {
  let count = 32u / min(subgroup_lanes, 32u);
  var sum = vec2f();
  for (var i = 0u; i < count; i++) { sum += team_values[row * 64u + team * count + i]; }
  return sum;
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
