// Bytes from anywhere to anywhere; the others of the words they come to stay. A lane writes a word.

struct Params {
  count: u32,
  // The first byte's place in its word.
  from_shift: u32,
  to_shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source_words: array<u32>;
@group(0) @binding(2) var<storage, read_write> target_words: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = (group.y * groups.x + group.x) * 256u + lane;
  if (word * 4u >= params.to_shift + params.count) { return; }
  var value = target_words[word];
  for (var k = 0u; k < 4u; k++) {
    let i = word * 4u + k;
    if (i < params.to_shift || i >= params.to_shift + params.count) { continue; }
    let source = i - params.to_shift + params.from_shift;
    let byte = (source_words[source >> 2u] >> (8u * (source & 3u))) & 0xffu;
    value = (value & ~(0xffu << (8u * k))) | (byte << (8u * k));
  }
  target_words[word] = value;
}
