// A step with 8-bit states in blocks of a power of two from 4 to 1024: a group of neighbouring lanes holds a block, four elements, which is one word of
// codes, in each of them. A workgroup takes several tiles of 1024 elements, so that it loads the maps seldom. Needs what optimizer_8bit.wgsl needs.

@group(0) @binding(1) var<storage, read> grad: array<u32>;
@group(0) @binding(2) var<storage, read> maps: array<u32>;
@group(0) @binding(3) var<storage, read_write> param: array<u32>;
@group(0) @binding(4) var<storage, read_write> state1: array<u32>;
@group(0) @binding(5) var<storage, read_write> slow_state: array<u32>;
@group(0) @binding(6) var<storage, read_write> state2: array<u32>;
@group(0) @binding(7) var<storage, read_write> absmax1: array<u32>;
@group(0) @binding(8) var<storage, read_write> absmax2: array<u32>;

// Largest magnitudes of a lane's states, and of its gradients.
var<workgroup> largest: array<vec4u, 256>;
// Of the three states of a block, at its first lane.
var<workgroup> factors: array<array<u32, 3>, 256>;

fn param_word(i: u32) -> u32 {
  return param[i];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  load_maps(lane);
  let begin = (group.y * groups.x + group.x) * params.tiles;
  let end = min(begin + params.tiles, (params.size + 1023u) / 1024u);
  for (var tile = begin; tile < end; tile++) { update_tile(tile * 256u + lane, lane); }
}

fn update_tile(word: u32, lane: u32) {
  let at = word * 4u;
  let block = at / params.block_size;
  let count = min(max(params.size, at) - at, 4u);
  var elements: array<Stepped, 4>;
  var seen = vec4u();
  if (count > 0u) {
    let maxima = maxima_of(block);
    let first = state1[word];
    var slow = 0u;
    var second = 0u;
    if (rule == 1u) { slow = slow_state[word]; }
    if (rule <= 1u) { second = state2[word]; }
    for (var k = 0u; k < count; k++) {
      let e = updated(at + k, k, first, slow, second, maxima);
      elements[k] = e;
      seen = max(seen, vec4u(magnitude(e.first), magnitude(e.slow), magnitude(e.second), grad_at(at + k) & ~SIGN));
    }
  }
  let found = largest_of_block(seen, lane);
  let maxima = Maxima(stored_maximum(found.x), stored_maximum(found.y), stored_maximum(found.z));
  let block_factors = factors_of_block(maxima, lane);
  // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
  if (count == 0u || (params.skips_zeros != 0u && found.w == 0u)) { return; }
  if (at == block * params.block_size) { store_maxima(block, maxima); }
  store_codes(word, count, maxima, block_factors, &elements);
  store_params(at, count, &elements);
}

// All lanes of the workgroup.
fn largest_of_block(seen: vec4u, lane: u32) -> vec4u {
  let lanes = params.block_size / 4u;
  largest[lane] = seen;
  for (var apart = lanes >> 1u; apart > 0u; apart >>= 1u) {
    workgroupBarrier();
    if (lane % lanes < apart) { largest[lane] = max(largest[lane], largest[lane + apart]); }
  }
  workgroupBarrier();
  return largest[lane - lane % lanes];
}

// All lanes of the workgroup: each of the first three of a block divides once.
fn factors_of_block(maxima: Maxima, lane: u32) -> array<u32, 3> {
  let lanes = params.block_size / 4u;
  let first = lane - lane % lanes;
  for (var state = lane % lanes; state < 3u; state += lanes) {
    let absmax = select(select(maxima.second, maxima.slow, state == 1u), maxima.first, state == 0u);
    factors[first][state] = factor_of(absmax);
  }
  workgroupBarrier();
  return factors[first];
}

// Behind the last element the codes are zero.
fn store_codes(word: u32, count: u32, maxima: Maxima, of_block: array<u32, 3>, elements: ptr<function, array<Stepped, 4>>) {
  var codes = vec3u();
  for (var k = 0u; k < count; k++) {
    let e = (*elements)[k];
    codes.x |= encode(0u, e.first, of_block[0], maxima.first) << (8u * k);
    if (rule == 1u) { codes.y |= encode(0u, e.slow, of_block[1], maxima.slow) << (8u * k); }
    if (rule <= 1u) { codes.z |= encode(SECOND_MAP, e.second, of_block[2], maxima.second) << (8u * k); }
  }
  state1[word] = codes.x;
  if (rule == 1u) { slow_state[word] = codes.y; }
  if (rule <= 1u) { state2[word] = codes.z; }
}

fn store_params(at: u32, count: u32, elements: ptr<function, array<Stepped, 4>>) {
  for (var k = 0u; k < count; k += 2u) {
    if (param_is_wide) {
      param[at + k] = (*elements)[k].p;
      if (k + 1u < count) { param[at + k + 1u] = (*elements)[k + 1u].p; }
    } else {
      let second = select(0u, narrowed((*elements)[k + 1u].p), k + 1u < count);
      param[(at + k) >> 1u] = narrowed((*elements)[k].p) | (second << 16u);
    }
  }
}
