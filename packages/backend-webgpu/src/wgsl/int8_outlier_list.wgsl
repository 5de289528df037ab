// The columns that a mask of bytes marks with 1, ascending, behind their number. One workgroup; a lane takes neighbouring words of the mask, whose
// bytes behind the last column are zero.

struct Params {
  words: u32,
}

const LANES = 256u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> list: array<u32>;

var<workgroup> counts: array<u32, LANES>;

fn is_listed(word: u32, i: u32) -> bool {
  return ((word >> (8u * i)) & 0xffu) == 1u;
}

fn count_in(word: u32) -> u32 {
  return u32(is_listed(word, 0u)) + u32(is_listed(word, 1u)) + u32(is_listed(word, 2u)) + u32(is_listed(word, 3u));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (group.x + group.y > 0u) {
    return;
  }
  let each = (params.words + LANES - 1u) / LANES;
  let begin = min(lane * each, params.words);
  let end = min(begin + each, params.words);
  var count = 0u;
  for (var word = begin; word < end; word++) { count += count_in(mask[word]); }
  var at = sum_before(lane, count);
  for (var word = begin; word < end; word++) {
    let held = mask[word];
    for (var i = 0u; i < 4u; i++) {
      if (is_listed(held, i)) {
        at++;
        list[at] = word * 4u + i;
      }
    }
  }
  if (lane == LANES - 1u) { list[0] = at; }
}

// Of all lanes before this one: in turn, for one barrier costs less than a tree of them.
fn sum_before(lane: u32, count: u32) -> u32 {
  counts[lane] = count;
  workgroupBarrier();
  var sum = 0u;
  for (var i = 0u; i < lane; i++) { sum += counts[i]; }
  return sum;
}
