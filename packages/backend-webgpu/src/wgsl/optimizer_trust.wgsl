// From partial sums of squares to norms, and from these to the ratio that scales the rate: when the norm of the directions exceeds max_unorm times
// the parameters', plus slack. One workgroup. Needs float32.wgsl.

struct Params {
  count: u32,
  applies: u32,
  max_unorm: f32,
  slack: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> update_norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> trust: array<f32>;

var<workgroup> sums: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (group.x + group.y > 0u) { return; }
  var sum = vec4f();
  for (var i = lane; i < params.count; i += 256u) { sum += partials[i]; }
  sums[lane] = sum;
  for (var apart = 128u; apart > 0u; apart >>= 1u) {
    workgroupBarrier();
    if (lane < apart) { sums[lane] += sums[lane + apart]; }
  }
  if (lane == 0u) { decide(norm(sums[0].xy), norm(sums[0].zw)); }
}

fn decide(direction: f32, param: f32) {
  update_norm[0] = direction;
  let bound = fma(params.max_unorm, param, params.slack);
  // Both are positive: their bit patterns have their order.
  let exceeds = !is_nan(bitcast<u32>(direction)) && !is_nan(bitcast<u32>(bound)) && bitcast<u32>(direction) > bitcast<u32>(bound);
  trust[0] = select(1.0, bound / direction, exceeds && params.applies != 0u);
}

// Large values were scaled by 2^-90 before they were squared.
fn norm(sum: vec2f) -> f32 {
  if (sum.y == 0.0) { return sqrt(sum.x); }
  let small = (sum.x * 7.888609052210118e-31) * 8.271806125530277e-25;
  return sqrt(sum.y + small) * 1.2379400392853803e27;
}
