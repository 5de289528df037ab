// A step with 8-bit states in blocks of any size: a workgroup holds a block, a word of codes, which is four elements, in each lane at a time, and
// computes everything twice, to measure and to encode. Neighbouring blocks may share words: they are changed bit by bit. Needs what optimizer_8bit.wgsl
// needs.

@group(0) @binding(1) var<storage, read> grad: array<u32>;
@group(0) @binding(2) var<storage, read> maps: array<u32>;
@group(0) @binding(3) var<storage, read_write> param: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> state1: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> slow_state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> state2: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read_write> absmax1: array<u32>;
@group(0) @binding(8) var<storage, read_write> absmax2: array<u32>;

// Largest magnitudes of the states and of the gradients.
var<workgroup> largest: array<atomic<u32>, 4>;
// Of the three states.
var<workgroup> factors: array<u32, 3>;

fn param_word(i: u32) -> u32 {
  return atomicLoad(&param[i]);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  load_maps(lane);
  let blocks = (params.size - 1u) / params.block_size + 1u;
  let workgroup = group.y * groups.x + group.x;
  let end = min((workgroup + 1u) * params.tiles, blocks);
  for (var block = workgroup * params.tiles; block < end; block++) { update_block(block, lane); }
}

fn update_block(block: u32, lane: u32) {
  let begin = block * params.block_size;
  let end = begin + min(params.block_size, params.size - begin);
  let before = maxima_of(block);
  if (lane < 4u) { atomicStore(&largest[lane], 0u); }
  workgroupBarrier();
  var after: Maxima;
  // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
  var passes = 2u;
  for (var pass_index = 0u; pass_index < 2u; pass_index++) {
    let last_word = select(0u, (end + 3u) / 4u, pass_index < passes);
    for (var word = begin / 4u + lane; word < last_word; word += 256u) { update_word(word, begin, end, before, after, pass_index == 0u); }
    workgroupBarrier();
    if (pass_index == 0u) {
      after = found_maxima();
      if (params.skips_zeros != 0u && atomicLoad(&largest[3]) == 0u) { passes = 1u; }
      if (lane < 3u) { share_factor(lane, after); }
      if (lane == 0u && passes == 2u) { store_maxima(block, after); }
      workgroupBarrier();
    }
  }
}

fn found_maxima() -> Maxima {
  return Maxima(
    stored_maximum(atomicLoad(&largest[0])),
    stored_maximum(atomicLoad(&largest[1])),
    stored_maximum(atomicLoad(&largest[2])),
  );
}

fn share_factor(state: u32, maxima: Maxima) {
  factors[state] = factor_of(select(select(maxima.second, maxima.slow, state == 1u), maxima.first, state == 0u));
}

// Measures, or writes, the elements of a word that are in the block.
fn update_word(word: u32, begin: u32, end: u32, before: Maxima, after: Maxima, measures: bool) {
  let first = atomicLoad(&state1[word]);
  var slow = 0u;
  var second = 0u;
  if (rule == 1u) { slow = atomicLoad(&slow_state[word]); }
  if (rule <= 1u) { second = atomicLoad(&state2[word]); }
  var seen = vec4u();
  var codes = vec3u();
  var mask = 0u;
  for (var i = max(word * 4u, begin); i < min(word * 4u + 4u, end); i++) {
    let k = i & 3u;
    let e = updated(i, k, first, slow, second, before);
    if (measures) {
      seen = max(seen, vec4u(magnitude(e.first), magnitude(e.slow), magnitude(e.second), grad_at(i) & ~SIGN));
    } else {
      mask |= 0xffu << (8u * k);
      codes |= codes_of(e, after) << vec3u(8u * k);
      store_param(i, e.p);
    }
  }
  if (measures) {
    for (var s = 0u; s < 4u; s++) { atomicMax(&largest[s], seen[s]); }
  } else {
    store_codes(word, mask, codes);
  }
}

fn codes_of(e: Stepped, maxima: Maxima) -> vec3u {
  var codes = vec3u(encode(0u, e.first, factors[0], maxima.first), 0u, 0u);
  if (rule == 1u) { codes.y = encode(0u, e.slow, factors[1], maxima.slow); }
  if (rule <= 1u) { codes.z = encode(SECOND_MAP, e.second, factors[2], maxima.second); }
  return codes;
}

fn store_codes(word: u32, mask: u32, codes: vec3u) {
  atomicAnd(&state1[word], ~mask);
  atomicOr(&state1[word], codes.x);
  if (rule == 1u) {
    atomicAnd(&slow_state[word], ~mask);
    atomicOr(&slow_state[word], codes.y);
  }
  if (rule <= 1u) {
    atomicAnd(&state2[word], ~mask);
    atomicOr(&state2[word], codes.z);
  }
}

fn store_param(i: u32, bits: u32) {
  if (param_is_wide) {
    atomicStore(&param[i], bits);
    return;
  }
  let shift = 16u * (i & 1u);
  atomicAnd(&param[i >> 1u], ~(0xffffu << shift));
  atomicOr(&param[i >> 1u], narrowed(bits) << shift);
}
