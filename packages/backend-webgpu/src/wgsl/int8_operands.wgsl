// Rows of bytes, four at a time, wherever they begin; zeros behind the end of a row. Needs int8_product.wgsl and dot4.

@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;

// Rows begin at whole words, and end there.
override is_aligned: bool;

// Where four bytes lie: in one word or two.
struct Place {
  first: u32,
  second: u32,
  shift: u32,
  mask: u32,
}

// Bytes 4 * word and on of a row, of which one at least is there.
fn place_of(row: u32, word: u32) -> Place {
  if (is_aligned) {
    let at = row * (params.k >> 2u) + word;
    return Place(at, at, 0u, 0xffffffffu);
  }
  let count = min(params.k - word * 4u, 4u);
  let byte = row * params.k + word * 4u;
  return Place(byte >> 2u, (byte + count - 1u) >> 2u, 8u * (byte & 3u), 0xffffffffu >> (32u - 8u * count));
}

fn assembled(first: u32, second: u32, place: Place) -> u32 {
  // A shift by 32 is none in WGSL: in two steps.
  return ((first >> place.shift) | ((second << 1u) << (31u - place.shift))) & place.mask;
}

fn a_word(row: u32, word: u32) -> u32 {
  if (word * 4u >= params.k) { return 0u; }
  let place = place_of(row, word);
  return assembled(a[place.first], a[place.second], place);
}

fn b_word(row: u32, word: u32) -> u32 {
  if (word * 4u >= params.k) { return 0u; }
  let place = place_of(row, word);
  return assembled(b[place.first], b[place.second], place);
}

// What a lane takes at a time.
alias Chunk = u32;
const CHUNK_BYTES = 4u;

fn a_chunk(row: u32, i: u32) -> Chunk {
  return a_word(row, i);
}

fn b_chunk(row: u32, i: u32) -> Chunk {
  return b_word(row, i);
}

fn dot_chunk(a: Chunk, b: Chunk, total: i32) -> i32 {
  return dot4(a, b, total);
}
