// Quantizes in blocks of 32 to 2048 elements, a power of two: a lane keeps 8 of them, neighbouring lanes a block, a workgroup a tile of 2048.
// The input is read once. Needs an encoder: encode4bit.wgsl or encode8bit.wgsl.

// Of a map, as map_rule.wgsl makes it; 4-bit tables are in the parameters.
@group(0) @binding(2) var<storage, read> rule: array<u32>;
@group(0) @binding(3) var<storage, read_write> codes: array<u32>;
@group(0) @binding(4) var<storage, read_write> absmax: array<u32>;
@group(0) @binding(5) var<storage, read_write> faults: array<atomic<u32>>;

var<workgroup> largest: array<atomic<u32>, 64>;
var<workgroup> scales: array<BlockScale, 64>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.y * groups.x + group.x;
  let first = (tile * 256u + lane) * 8u;
  let block = lane >> params.group_shift;
  let blocks = 256u >> params.group_shift;
  prepare(lane);
  if (lane < blocks) { atomicStore(&largest[lane], 0u); }
  let values = eight_elements(first);
  let is_special = look_for_faults(values, first);
  workgroupBarrier();
  atomicMax(&largest[block], largest_of(values));
  workgroupBarrier();
  if (lane < blocks) { measure(lane, tile * blocks + lane); }
  workgroupBarrier();
  carry_thresholds(lane, blocks);
  workgroupBarrier();
  if (first < params.size) { store(first, encode_in_tile(values, first, block, is_special)); }
}

fn largest_of(values: array<u32, 8>) -> u32 {
  var most = 0u;
  for (var i = 0u; i < 8u; i++) { most = max(most, measured(values[i])); }
  return most;
}

// Whether one of the values is not finite; if so, tells the first one.
fn look_for_faults(values: array<u32, 8>, first: u32) -> bool {
  var most = 0u;
  for (var i = 0u; i < 8u; i++) { most = max(most, values[i] & ~SIGN); }
  if (most < INFINITY) { return false; }
  for (var i = 0u; i < 8u; i++) {
    if ((values[i] & ~SIGN) >= INFINITY) { atomicMax(&faults[params.fault_index], ~(first + i)); }
  }
  return true;
}

fn measure(block: u32, index: u32) {
  let begin = index * params.block_size;
  if (begin >= params.size) { return; }
  let scale = block_scale(atomicLoad(&largest[block]), params.size - begin < params.block_size);
  scales[block] = scale;
  absmax[index] = stored_absmax(scale);
}
