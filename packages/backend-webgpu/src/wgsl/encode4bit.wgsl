// Codes of 4 bits. Needs quantize_task.wgsl and decision4bit.wgsl; the kernel declares `codes`.

fn table_bounds() -> Limits {
  return Limits(params.bounds[0], params.bounds[1], params.bounds[2], params.bounds[3]);
}

fn code_of_rank(rank: u32) -> u32 {
  return (select(params.order.x, params.order.y, rank > 7u) >> ((rank & 7u) << 2u)) & 15u;
}

fn prepare(lane: u32) {}

fn encode(bits: u32, scale: BlockScale) -> u32 {
  return code_of_rank(rank_by_scaling(bits, scale, table_bounds(), params.rank_of_nan));
}

// Where the code of the i-th of eight elements is: the even element of a byte is the upper nibble.
fn placed(found: u32, i: u32) -> vec2u {
  return vec2u(found << ((i ^ 1u) << 2u), 0u);
}

fn store(first: u32, packed: vec2u) {
  var word = packed.x;
  if (first + 8u > params.size) { word = ended(word, params.size - first); }
  codes[first >> 3u] = word;
}

// The last word, of which `count` elements are there: a nibble left over holds the code of 0, bytes behind it are zero.
fn ended(word: u32, count: u32) -> u32 {
  var kept = word;
  if ((count & 1u) == 1u) {
    let last = (count ^ 1u) << 2u;
    kept = (word & ~(15u << last)) | (code_of_rank(rank_among(SIGN, table_bounds())) << last);
  }
  return kept & (0xffffffffu >> (32u - (((count + 1u) >> 1u) << 3u)));
}
