// The largest magnitude of each block, of any size, and its reciprocal: the first pass over the input. Some lanes share a block, as many as
// pays. Needs quantize_task.wgsl and block_scale.wgsl.

@group(0) @binding(2) var<storage, read_write> absmax: array<u32>;
@group(0) @binding(3) var<storage, read_write> reciprocals: array<u32>;
@group(0) @binding(4) var<storage, read_write> faults: array<atomic<u32>>;

var<workgroup> largest: array<atomic<u32>, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let slot = lane >> params.group_shift;
  let place = lane & ((1u << params.group_shift) - 1u);
  let block = (group.y * groups.x + group.x) * (256u >> params.group_shift) + slot;
  let blocks = (params.size - 1u) / params.block_size + 1u;
  atomicStore(&largest[lane], 0u);
  var found = 0u;
  if (block < blocks) { found = largest_in(block, place); }
  workgroupBarrier();
  atomicMax(&largest[slot], found);
  workgroupBarrier();
  if (block < blocks && place == 0u) {
    let scale = block_scale(atomicLoad(&largest[slot]), params.size - block * params.block_size < params.block_size);
    absmax[block] = stored_absmax(scale);
    reciprocals[block] = scale.reciprocal;
  }
}

// What one lane sees of a block.
fn largest_in(block: u32, place: u32) -> u32 {
  let begin = block * params.block_size;
  let count = min(params.block_size, params.size - begin);
  var most = 0u;
  for (var i = place; i < count; i += 1u << params.group_shift) {
    let bits = element(begin + i);
    if ((bits & ~SIGN) >= INFINITY) { atomicMax(&faults[params.fault_index], ~(begin + i)); }
    most = max(most, measured(bits));
  }
  return most;
}
