// ROWS rows of x, 8 at most, times a 4-bit weight whose rows and blocks are multiples of 32 elements. A team of 32 lanes makes two columns; a lane
// reads 32 codes of each at a time, and decodes them once for all rows of x. Needs x4.wgsl, scales4bit.wgsl and a
// module that sums over teams and has the entry point.

@group(0) @binding(2) var<storage, read> codes: array<vec4u>;

// Every entry once for each bank: lanes that look up different entries do not wait for each other.
var<workgroup> table: array<f32, 512>;

fn decode(word: u32, shift: u32, bank: u32) -> f32 {
  return table[((word >> shift) & 15u) * 32u + bank];
}

// The even element of a byte is the upper nibble.
fn decode_low(word: u32, bank: u32) -> vec4f {
  return vec4f(decode(word, 4u, bank), decode(word, 0u, bank), decode(word, 12u, bank), decode(word, 8u, bank));
}

fn decode_high(word: u32, bank: u32) -> vec4f {
  return vec4f(decode(word, 20u, bank), decode(word, 16u, bank), decode(word, 28u, bank), decode(word, 24u, bank));
}

fn narrow(tile: u32, lane: u32) {
  table[lane] = code[lane / 32u];
  table[lane + 256u] = code[8u + lane / 32u];
  workgroupBarrier();
  let tiles = (params.columns + 15u) / 16u;
  let split = tile / tiles;
  let column = tile % tiles * 16u + lane / 32u * 2u;
  let bank = lane % 32u;
  let chunks = params.inner / 32u;
  let end = min(chunks, (split + 1u) * params.split_chunks);
  // What is beyond the last column is computed from the last one, and not stored.
  let first = min(column, params.columns - 1u) * chunks;
  let second = min(column + 1u, params.columns - 1u) * chunks;
  // 4, which compilers know for few rows only: unrolled for many, a kernel takes seconds to compile.
  let words_at_once = select(min(4u, 4u * params.rows), 4u, ROWS <= 2u);
  var sums: array<vec2f, ROWS>;
  for (var chunk = split * params.split_chunks + bank; chunk < end; chunk += 32u) {
    let words = array(codes[first + chunk], codes[second + chunk]);
    let scales = vec2f(scale_of(first + chunk), scale_of(second + chunk));
    // With its value: lavapipe was seen to keep that of the last turn where there is none.
    var parts = array<vec2f, ROWS>();
    for (var i = 0u; i < words_at_once; i++) {
      let inner = chunk * 32u + 8u * i;
      let low = array(decode_low(words[0][i], bank), decode_low(words[1][i], bank));
      let high = array(decode_high(words[0][i], bank), decode_high(words[1][i], bank));
      for (var row = 0u; row < ROWS; row++) {
        let x_low = x4_at(row, inner);
        let x_high = x4_at(row, inner + 4u);
        parts[row] += vec2f(dot(x_low, low[0]) + dot(x_high, high[0]), dot(x_low, low[1]) + dot(x_high, high[1]));
      }
    }
    for (var row = 0u; row < ROWS; row++) { sums[row] += parts[row] * scales; }
  }
  store_teams(tile % tiles, split, lane, sums);
}

fn scale_of(chunk: u32) -> f32 {
  return scale_at((chunk * 32u + params.first_in_block) >> firstTrailingBit(params.block_size));
}
