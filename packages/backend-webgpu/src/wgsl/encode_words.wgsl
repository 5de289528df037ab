// Codes of blocks of any size, of which the scales are known: the second pass over the input. A lane takes 8 elements, which may lie in
// several blocks. Needs an encoder: encode4bit.wgsl or encode8bit.wgsl.

@group(0) @binding(2) var<storage, read> rule: array<u32>;
@group(0) @binding(3) var<storage, read> absmax: array<u32>;
@group(0) @binding(4) var<storage, read> reciprocals: array<u32>;
@group(0) @binding(5) var<storage, read_write> codes: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  prepare(lane);
  workgroupBarrier();
  let first = ((group.y * groups.x + group.x) * 256u + lane) * 8u;
  if (first >= params.size) { return; }
  var packed = vec2u();
  for (var i = 0u; i < min(8u, params.size - first); i++) {
    packed |= placed(encode(element(first + i), scale_at((first + i) / params.block_size)), i);
  }
  store(first, packed);
}

fn scale_at(block: u32) -> BlockScale {
  let stored = absmax[block];
  let is_partial = params.size - block * params.block_size < params.block_size;
  return BlockScale(stored, stored, reciprocals[block], is_partial && divides_tail && !is_cuda);
}
