// Optimizer steps with 8-bit states: a block is decoded with its old absmax, updated, and encoded with its new one.
#pragma once
#include "encode.cuh"
#include "optimizer_step.cuh"

namespace hb {

// Blocks up to here (bitsandbytes had this size before 0.44, and has 256) lie in the registers of one thread block: eight elements in each of its threads.
constexpr uint64_t kLargestStateBlock = uint64_t{kPerThread} * kOptimizerThreads;

// A map in shared memory: to decode, and to encode.
struct SharedMap {
  float values[256];
  Encoder8::Shared codes;

  // All threads of the block; they meet before it returns.
  __device__ void prepare(const float *map, const Encoder8 &encoder) {
    for (uint32_t i = threadIdx.x; i < 256; i += blockDim.x) values[i] = map[i];
    encoder.prepare(codes);
  }
};

// From the values of a block to codes.
struct StateEncoder {
  Encoder8 encoder;
  hb_profile profile;

  template <uint32_t count>
  __device__ void encode(const SharedMap &map, const Scaling &scaled, const float (&values)[count], uint32_t (&codes)[count]) const {
    float x[count];
    HB_UNROLL for (uint32_t i = 0; i < count; i++) x[i] = __fmul_rn(values[i], scaled.factor);
    const bool is_odd = scaled.may_exceed();
    if (is_odd) {
      HB_UNROLL for (uint32_t i = 0; i < count; i++) x[i] = Scaling::clamped(x[i]);
    }
    encoder.encode(map.codes, x, codes, is_odd);
    if (profile != HB_CUDA) return;
    // Where every scaled value is 0 or NaN, which is so when absmax is 0 or infinite, CUDA writes code 0.
    const bool is_cleared = scaled.absmax == 0 || magnitude_bits(scaled.absmax) >= kInfinity;
    HB_UNROLL for (uint32_t i = 0; i < count; i++) codes[i] = with_sign_of(values[i], is_cleared ? 0 : codes[i], map);
  }

 private:
  // CUDA moves a code whose sign bit differs from the state's one step toward it. NaN counts as positive, but not as above 0.
  __device__ static uint32_t with_sign_of(float value, uint32_t code, const SharedMap &map) {
    if (is_negative(map.values[code]) == is_negative(value)) return code;
    if (value > 0) return min(code + 1, 255u);
    return code == 0 ? code : code - 1;
  }
  __device__ static bool is_negative(float value) { return !is_nan(value) && __float_as_uint(value) >> 31 != 0; }
};

// One state of a tensor, a byte per element and an absmax per block, and the map that both are read with.
struct CodedState {
  uint8_t *codes;
  float *absmax;
  const float *map;
  StateEncoder encoder;
  bool aligned;

  __device__ float decode(const SharedMap &shared, uint64_t i, uint64_t block) const { return __fmul_rn(shared.values[codes[i]], absmax[block]); }
};

// Eight elements of it.
struct CodedOctet {
  uint2 codes;
  float absmax;

  __device__ void load(const CodedState &state, uint64_t size, uint64_t at, uint64_t block) {
    codes = load_bytes(state.codes, size, at, state.aligned);
    absmax = at < size ? state.absmax[block] : 0;
  }
  __device__ void decode(const SharedMap &map, float (&values)[kPerThread]) const {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) values[i] = __fmul_rn(map.values[byte_of(codes, i)], absmax);
  }
};

template <class Rule>
struct Update8;

// The maps of a rule's states: AdEMAMix reads both rows of its first with one.
template <class Rule>
struct SharedMaps {
  SharedMap of_state[1 + Rule::two_states];

  __device__ void prepare(const Update8<Rule> &update) {
    of_state[0].prepare(update.first.map, update.first.encoder.encoder);
    if (Rule::two_states) of_state[Rule::two_states].prepare(update.second.map, update.second.encoder.encoder);
  }
  __device__ const SharedMap &first() const { return of_state[0]; }
  __device__ const SharedMap &second() const { return of_state[Rule::two_states]; }
};

template <class Rule>
struct Update8 {
  OptimizerStep<Rule> step;
  AnyFloats param, grad;
  // Those that a rule has not stand for the first and are never touched.
  CodedState first, slow, second;
  uint64_t size;
  BlockOf block_of;

  // One element, its gradient not scaled yet.
  __device__ Element<float> element(const SharedMaps<Rule> &maps, uint64_t i, uint64_t block) const {
    Element<float> e = {load_one(param, i), load_one(grad, i), first.decode(maps.first(), i, block), 0, 0};
    if (Rule::stacked) e.slow = slow.decode(maps.first(), i, block);
    if (Rule::two_states) e.s2 = second.decode(maps.second(), i, block);
    return e;
  }

  __device__ bool is_cuda() const { return first.encoder.profile == HB_CUDA; }
};

// What a group of threads does with the block it holds; `at` is this thread's first element.
template <class Rule>
struct GroupedBlock {
  const Update8<Rule> &update;
  SharedMaps<Rule> &maps;
  uint64_t at, block;
  uint32_t group;
  OptimizerElements<Rule, kPerThread> octet;

  __device__ void load() {
    const auto p = load_raw<kPerThread>(update.param, update.size, at), g = load_raw<kPerThread>(update.grad, update.size, at);
    CodedOctet s1, n, s2;
    s1.load(update.first, update.size, at, block);
    if (Rule::stacked) n.load(update.slow, update.size, at, block);
    if (Rule::two_states) s2.load(update.second, update.size, at, block);
    widen(p, update.param.dtype, octet.p);
    widen(g, update.grad.dtype, octet.g);
    s1.decode(maps.first(), octet.s1);
    if (Rule::stacked) n.decode(maps.first(), octet.slow);
    if (Rule::two_states) s2.decode(maps.second(), octet.s2);
  }

  // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
  __device__ bool is_skipped() const { return update.step.gradient.skip_zeros && largest_of_group(largest(octet.g, false), group) == 0; }

  // Elements beyond the end count for nothing.
  __device__ void advance() {
    octet.advance(update.step);
    if (update.step.may_keep()) octet.take_back(update.step, at, update.size, [&](uint64_t i) { return update.element(maps, i, block); });
    if (at + kPerThread <= update.size) return;
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
      if (at + i >= update.size) octet.s1[i] = octet.slow[i] = octet.s2[i] = 0;
  }

  // All threads of the block take part, whether they have something to save or not.
  __device__ void save(const CodedState &state, const SharedMap &map, const float (&values)[kPerThread], bool saves) const {
    const Scaling scaled = scaling_of(absmax_of(largest_of_group(largest(values, update.is_cuda()), group)), false, state.encoder.profile);
    if (!saves) return;
    if (threadIdx.x % group == 0) state.absmax[block] = scaled.absmax;
    uint32_t codes[kPerThread];
    state.encoder.encode(map, scaled, values, codes);
    store_bytes(codes, state.codes, update.size, at, state.aligned);
  }

 private:
  // Of this thread.
  static __device__ uint32_t largest(const float (&values)[kPerThread], bool skips_nan) {
    uint32_t found = 0;
    if (skips_nan) {
      HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) found = larger(found, magnitude_bits(values[i]), true);
    } else {
      HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) found = max(found, magnitude_bits(values[i]));
    }
    return found;
  }
};

// Block sizes that are a power of two from 8 to kLargestStateBlock: a group of neighbouring threads holds a block, eight elements each.
template <class Rule>
__global__ void __launch_bounds__(kOptimizerThreads, Rule::stacked ? 2 : 3) optimizer_8bit_grouped(Update8<Rule> update, uint64_t tiles) {
  __shared__ SharedMaps<Rule> maps;
  maps.prepare(update);
  const uint32_t group = static_cast<uint32_t>(update.block_of.size() / kPerThread);
  // A tile is what a thread block takes at once; the same number of turns for all of its threads.
  for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint64_t at = (tile * blockDim.x + threadIdx.x) * kPerThread;
    GroupedBlock<Rule> part = {update, maps, at, update.block_of(at), group, {}};
    part.load();
    const bool saves = !part.is_skipped() && at < update.size;
    part.advance();
    if (saves) store(part.octet.p, update.param, update.size, at);
    part.save(update.first, maps.first(), part.octet.s1, saves);
    if (Rule::stacked) part.save(update.slow, maps.first(), part.octet.slow, saves);
    if (Rule::two_states) part.save(update.second, maps.second(), part.octet.s2, saves);
  }
}

// A block of any size, one element per thread and turn: everything is computed twice, to measure and to encode.
template <class Rule>
struct AnyBlock {
  const Update8<Rule> &update;
  SharedMaps<Rule> &maps;
  // Before the step.
  float absmax1, slow_absmax, absmax2;

  __device__ AnyBlock(const Update8<Rule> &u, SharedMaps<Rule> &m, uint64_t block)
      : update(u), maps(m), absmax1(u.first.absmax[block]), slow_absmax(Rule::stacked ? u.slow.absmax[block] : 0),
        absmax2(Rule::two_states ? u.second.absmax[block] : 0) {}

  // Element i after the step.
  __device__ Element<float> advanced(uint64_t i) const {
    const float raw = load_one(update.grad, i);
    Element<float> e = {load_one(update.param, i), update.step.gradient(raw), __fmul_rn(maps.first().values[update.first.codes[i]], absmax1), 0, 0};
    if (Rule::stacked) e.slow = __fmul_rn(maps.first().values[update.slow.codes[i]], slow_absmax);
    if (Rule::two_states) e.s2 = __fmul_rn(maps.second().values[update.second.codes[i]], absmax2);
    if (!update.step.keeps(raw)) update.step.advance(e);
    else if (update.step.clears(raw)) e.s1 = e.slow = e.s2 = 0;
    return e;
  }
};

template <class Rule>
__global__ void __launch_bounds__(kOptimizerThreads) optimizer_8bit_any(Update8<Rule> update, uint64_t blocks) {
  __shared__ SharedMaps<Rule> maps;
  maps.prepare(update);
  const auto measured = [&](uint32_t largest, float value) { return larger(largest, magnitude_bits(value), update.is_cuda()); };
  for (uint64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const uint64_t begin = block * update.block_of.size(), end = min(begin + update.block_of.size(), update.size);
    const AnyBlock<Rule> old(update, maps, block);
    uint32_t largest_gradient = 0, largest1 = 0, largest_slow = 0, largest2 = 0;
    for (uint64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
      const Element<float> e = old.advanced(i);
      largest_gradient = max(largest_gradient, magnitude_bits(load_one(update.grad, i)));
      largest1 = measured(largest1, e.s1);
      if (Rule::stacked) largest_slow = measured(largest_slow, e.slow);
      if (Rule::two_states) largest2 = measured(largest2, e.s2);
    }
    // All of the old absmax are read when the first of these is known.
    const bool is_skipped = update.step.gradient.skip_zeros && largest_of_group(largest_gradient, blockDim.x) == 0;
    const auto scaling = [&](uint32_t largest) {
      return scaling_of(absmax_of(largest_of_group(largest, blockDim.x)), false, update.first.encoder.profile);
    };
    const auto save = [](const CodedState &state, const SharedMap &map, const Scaling &scaled, float value, uint64_t i) {
      const float values[1] = {value};
      uint32_t codes[1];
      state.encoder.encode(map, scaled, values, codes);
      state.codes[i] = static_cast<uint8_t>(codes[0]);
    };
    const Scaling first = scaling(largest1);
    Scaling slow = first, second = first;
    if (Rule::stacked) slow = scaling(largest_slow);
    if (Rule::two_states) second = scaling(largest2);
    if (is_skipped) continue;
    if (threadIdx.x == 0) {
      update.first.absmax[block] = first.absmax;
      if (Rule::stacked) update.slow.absmax[block] = slow.absmax;
      if (Rule::two_states) update.second.absmax[block] = second.absmax;
    }
    for (uint64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
      const Element<float> e = old.advanced(i);
      store_one(e.p, update.param, i);
      save(update.first, maps.first(), first, e.s1, i);
      if (Rule::stacked) save(update.slow, maps.first(), slow, e.slow, i);
      if (Rule::two_states) save(update.second, maps.second(), second, e.s2, i);
    }
  }
}

}  // namespace hb
