// What comes with the codes of a 4-bit weight, and the block scales, nested ones decoded. The codes are binding 2.

@group(0) @binding(3) var<storage, read> code: array<f32>;
@group(0) @binding(4) var<storage, read> absmax: array<u32>;
@group(0) @binding(5) var<storage, read> nested_absmax: array<f32>;
@group(0) @binding(6) var<storage, read> nested_code: array<f32>;
@group(0) @binding(7) var<storage, read> bias: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<u32>;

fn scale_at(block: u32) -> f32 {
  if (params.is_nested == 0u) { return bitcast<f32>(absmax[block]); }
  let entry = (absmax[block >> 2u] >> (8u * (block & 3u))) & 0xffu;
  return nested_code[entry] * nested_absmax[(params.first_block + block) / params.nested_block_size] + params.offset;
}
