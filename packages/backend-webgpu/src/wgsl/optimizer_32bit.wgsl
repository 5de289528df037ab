// A step with f32 states. A lane takes two elements: neighbours where they share a word of 16-bit floats, else one in each half of the workgroup's 512,
// so that lanes side by side read words side by side. Needs float32.wgsl, float16.wgsl, optimizer_rule.wgsl, optimizer_floats.wgsl.

@group(0) @binding(1) var<storage, read> grad: array<u32>;
@group(0) @binding(2) var<storage, read> trust: array<f32>;
@group(0) @binding(3) var<storage, read_write> param: array<u32>;
@group(0) @binding(4) var<storage, read_write> state1: array<u32>;
@group(0) @binding(5) var<storage, read_write> slow_state: array<u32>;
@group(0) @binding(6) var<storage, read_write> state2: array<u32>;
@group(0) @binding(7) var<storage, read_write> update_norm: array<u32>;

fn param_word(i: u32) -> u32 {
  return param[i];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = (group.y * groups.x + group.x) * 512u;
  if (params.clears_norm != 0u && begin == 0u && lane == 0u) { update_norm[0] = 0u; }
  var rate = params.rate;
  if (params.uses_trust != 0u) { rate *= trust[0]; }
  if (param_is_wide) {
    let apart = select(1u, 256u, params.grad_type == FLOAT32);
    let first = begin + select(2u * lane, lane, params.grad_type == FLOAT32);
    store_one(first, rate);
    store_one(first + apart, rate);
  } else {
    store_pair(begin + 2u * lane, rate);
  }
}

fn store_one(i: u32, rate: f32) {
  if (i < params.size) { param[i] = updated(i, rate); }
}

// What lies behind the last element is zero.
fn store_pair(i: u32, rate: f32) {
  if (i >= params.size) { return; }
  let first = narrowed(updated(i, rate));
  var second = 0u;
  if (i + 1u < params.size) { second = narrowed(updated(i + 1u, rate)); }
  param[i >> 1u] = first | (second << 16u);
}

// Updates the states of an element; gives its parameter.
fn updated(i: u32, rate: f32) -> u32 {
  let p = param_at(i);
  let grad_bits = grad_at(i);
  var e = Element(bitcast<f32>(p), params.grad_scale * bitcast<f32>(grad_bits), bitcast<f32>(state1[i]), 0.0, 0.0);
  if (params.skips_zeros != 0u && is_zero(bitcast<u32>(e.g))) { return p; }
  if (rule == 1u) { e.slow = bitcast<f32>(slow_state[i]); }
  if (rule <= 1u) { e.s2 = bitcast<f32>(state2[i]); }
  advance(&e, rate);
  let spoilt = is_nan(grad_bits);
  state1[i] = kept(e.s1, spoilt);
  if (rule == 1u) { slow_state[i] = kept(e.slow, spoilt); }
  if (rule <= 1u) { state2[i] = kept(e.s2, spoilt); }
  return kept(e.p, spoilt);
}

fn kept(value: f32, spoilt: bool) -> u32 {
  return select(bitcast<u32>(value), NOT_A_NUMBER, spoilt);
}
