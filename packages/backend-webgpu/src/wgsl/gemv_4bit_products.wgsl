// One row of x times a 4-bit weight whose rows and blocks are multiples of 32 elements: for 32 terms at a time, what each of the 256 values of each of
// 16 bytes adds to a sum stands in workgroup memory, and every column looks its bytes up. What an adapter likes that runs lanes on a CPU: a look-up
// costs it as much as many products. Sums of `split_chunks` times 32 terms go to a plane each. Needs x4.wgsl and scales4bit.wgsl.

@group(0) @binding(2) var<storage, read> codes: array<vec4u>;

const COLUMNS = 4096u;

// By byte of the chunk, by the byte's value.
var<workgroup> products: array<f32, 4096>;

// A lane makes the entries whose lower nibble is its number.
fn fill(chunk: u32, lane: u32) {
  let second = code[lane];
  for (var quad = 0u; quad < 8u; quad++) {
    let value = x4_at(0u, chunk * 32u + 4u * quad);
    let low = value.yw * second;
    for (var entry = 0u; entry < 16u; entry++) {
      let both = value.xz * code[entry] + low;
      let at = quad * 512u + entry * 16u + lane;
      products[at] = both.x;
      products[at + 256u] = both.y;
    }
  }
}

fn of_word(word: u32, first: u32) -> f32 {
  return (products[first + (word & 0xffu)] + products[first + 256u + ((word >> 8u) & 0xffu)]) +
    (products[first + 512u + ((word >> 16u) & 0xffu)] + products[first + 768u + (word >> 24u)]);
}

fn add(chunk: u32, column: u32, plane: u32, is_first: bool) {
  let at = column * (params.inner / 32u) + chunk;
  let words = codes[at];
  let sum = of_word(words.x, 0u) + of_word(words.y, 1024u) + of_word(words.z, 2048u) + of_word(words.w, 3072u);
  let scaled = sum * scale_at((at * 32u + params.first_in_block) >> firstTrailingBit(params.block_size));
  let target_word = plane * params.plane + params.out_begin + column;
  out[target_word] = bitcast<u32>(select(bitcast<f32>(out[target_word]), 0.0, is_first) + scaled);
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group.y * groups.x + group.x;
  let tiles = (params.columns + COLUMNS - 1u) / COLUMNS;
  let plane = tile / tiles;
  if (plane >= params.planes) { return; }
  let first_column = tile % tiles * COLUMNS;
  let end_column = min(first_column + COLUMNS, params.columns);
  let first_chunk = plane * params.split_chunks;
  let end_chunk = min(first_chunk + params.split_chunks, params.inner / 32u);
  for (var chunk = first_chunk; chunk < end_chunk; chunk++) {
    fill(chunk, lane);
    workgroupBarrier();
    for (var column = first_column + lane; column < end_column; column += 16u) {
      add(chunk, column, plane, chunk == first_chunk);
    }
    workgroupBarrier();
  }
}
