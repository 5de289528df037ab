// LLM.int8() rows back to float32. Neighbouring lanes write neighbouring words. Needs float32.wgsl and int8_code.wgsl.

struct Params {
  size: u32,
  k: u32,
  inverse127: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<u32>;
@group(0) @binding(2) var<storage, read> row_stats: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = (group.y * groups.x + group.x) * 1024u + lane;
  for (var i = 0u; i < 4u; i++) {
    let index = begin + i * 256u;
    if (index < params.size) {
      out[index] = decoded_code(code_in(q[index >> 2u], index), row_stats[index / params.k], params.inverse127);
    }
  }
}
