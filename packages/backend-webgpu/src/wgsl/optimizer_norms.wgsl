// Sums of squares of directions and parameters, one of each per workgroup, in an order that follows from the sizes alone. Those above 2^48 are summed
// apart, scaled down: their squares may be more than a float holds. Needs float32.wgsl, float16.wgsl, optimizer_rule.wgsl, optimizer_floats.wgsl.

@group(0) @binding(1) var<storage, read> grad: array<u32>;
@group(0) @binding(2) var<storage, read> param: array<u32>;
@group(0) @binding(3) var<storage, read> state1: array<u32>;
@group(0) @binding(4) var<storage, read> slow_state: array<u32>;
@group(0) @binding(5) var<storage, read> state2: array<u32>;
// Of directions, of large ones, of parameters, of large ones.
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;

var<workgroup> sums: array<vec4f, 256>;

const LARGE = 281474976710656.0;
const SCALE = 8.077935669463161e-28;

fn param_word(i: u32) -> u32 {
  return param[i];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let workgroup = group.y * groups.x + group.x;
  if (workgroup >= params.workgroups) { return; }
  sums[lane] = sum_of_lane(workgroup * 256u + lane);
  for (var apart = 128u; apart > 0u; apart >>= 1u) {
    workgroupBarrier();
    if (lane < apart) { sums[lane] += sums[lane + apart]; }
  }
  if (lane == 0u) { partials[params.first_partial + workgroup] = sums[0]; }
}

// By sums of 32, so that roundings do not add up.
fn sum_of_lane(first: u32) -> vec4f {
  let stride = params.workgroups * 256u;
  var sum = vec4f();
  for (var begin = first; begin < params.size; begin += 32u * stride) {
    var part = vec4f();
    for (var k = 0u; k < 32u && begin + k * stride < params.size; k++) { part += squares(begin + k * stride); }
    sum += part;
  }
  return sum;
}

fn squares(i: u32) -> vec4f {
  let p = bitcast<f32>(param_at(i));
  return vec4f(square(direction(i, p) * params.norm_factor), square(p));
}

fn square(value: f32) -> vec2f {
  let scaled = value * SCALE;
  return select(vec2f(0.0, scaled * scaled), vec2f(value * value, 0.0), abs(value) < LARGE);
}

fn direction(i: u32, p: f32) -> f32 {
  var e = Element(p, params.grad_scale * bitcast<f32>(grad_at(i)), bitcast<f32>(state1[i]), 0.0, 0.0);
  if (params.skips_zeros != 0u && is_zero(bitcast<u32>(e.g))) { return 0.0; }
  if (rule == 1u) { e.slow = bitcast<f32>(slow_state[i]); }
  if (rule <= 1u) { e.s2 = bitcast<f32>(state2[i]); }
  return update_states(&e);
}
