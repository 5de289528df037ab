// Sums over teams of 32 lanes, of at most 4 rows at once, through workgroup memory: every lane leaves its own, and after a barrier one lane collects
// those of a team.

const ROWS_AT_ONCE = min(ROWS, 4u);

var<workgroup> team_values: array<vec2f, 256u * ROWS_AT_ONCE>;

fn leave(row: u32, lane: u32, value: vec2f) {
  team_values[row * 256u + lane] = value;
}

fn collected(row: u32, team: u32) -> vec2f {
  var sum = vec2f();
  // All 32, and a number that compilers do not know: unrolled, this would be most of the kernel.
  let count = min(32u, 32u * params.rows);
  for (var i = 0u; i < count; i++) { sum += team_values[row * 256u + team * 32u + i]; }
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
