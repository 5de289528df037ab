// Optimizer steps with f32 states, and the norms that scale some of them.
//
// Norms are sums in float64, of segments and then of all, in an order that follows from the size alone: the same on every GPU, and for paged states.
#pragma once
#include "optimizer_step.cuh"

namespace hb {

// Of f32 states they are one vector.
constexpr uint32_t kPerThread32 = 4;

template <class Rule>
struct Update32 {
  OptimizerStep<Rule> step;
  AnyFloats param, grad;
  // Those that a rule has not stand for the first and are never touched.
  float *state1, *slow_state, *state2;
  uint64_t size;

  using Elements = OptimizerElements<Rule, kPerThread32>;

  __device__ void load(uint64_t at, Elements &elements) const {
    const auto p = load_raw<kPerThread32>(param, size, at), g = load_raw<kPerThread32>(grad, size, at);
    auto s1 = load_raw<kPerThread32>(first(), size, at), n = s1, s2 = s1;
    if (Rule::stacked) n = load_raw<kPerThread32>(slow(), size, at);
    if (Rule::two_states) s2 = load_raw<kPerThread32>(second(), size, at);
    widen(p, param.dtype, elements.p);
    widen(g, grad.dtype, elements.g);
    widen(s1, HB_FLOAT32, elements.s1);
    if (Rule::stacked) widen(n, HB_FLOAT32, elements.slow);
    if (Rule::two_states) widen(s2, HB_FLOAT32, elements.s2);
  }

  __device__ void save(uint64_t at, const Elements &elements) const {
    store(elements.p, param, size, at);
    store(elements.s1, first(), size, at);
    if (Rule::stacked) store(elements.slow, slow(), size, at);
    if (Rule::two_states) store(elements.s2, second(), size, at);
  }

  // One element, its gradient not scaled yet.
  __device__ Element<float> element(uint64_t i) const {
    return {load_one(param, i), load_one(grad, i), state1[i], Rule::stacked ? slow_state[i] : 0, Rule::two_states ? state2[i] : 0};
  }

 private:
  __device__ AnyFloats first() const { return {state1, HB_FLOAT32}; }
  __device__ AnyFloats slow() const { return {slow_state, HB_FLOAT32}; }
  __device__ AnyFloats second() const { return {state2, HB_FLOAT32}; }
};

// trust: on the device, what the rate is multiplied with; null: 1.
template <class Rule>
__global__ void __launch_bounds__(kOptimizerThreads) optimizer_32bit(Update32<Rule> update, const float *trust) {
  if (trust) update.step.move.rate = __fmul_rn(update.step.move.rate, *trust);
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * blockDim.x * kPerThread32;
  for (uint64_t at = (static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPerThread32; at < update.size; at += stride) {
    typename Update32<Rule>::Elements elements;
    update.load(at, elements);
    elements.advance(update.step);
    if (update.step.may_keep()) elements.take_back(update.step, at, update.size, [&](uint64_t i) { return update.element(i); });
    update.save(at, elements);
  }
}

// Sums of squares.
struct Squares {
  double direction, param;
};

// Over all threads of the block, each of which takes part; for thread 0.
__device__ inline Squares sum_of_block(Squares sum) {
  for (uint32_t apart = 16; apart > 0; apart /= 2) {
    sum.direction += __shfl_xor_sync(~0u, sum.direction, apart);
    sum.param += __shfl_xor_sync(~0u, sum.param, apart);
  }
  __shared__ double directions[kOptimizerThreads / 32], params[kOptimizerThreads / 32];
  if (threadIdx.x % 32 == 0) {
    directions[threadIdx.x / 32] = sum.direction;
    params[threadIdx.x / 32] = sum.param;
  }
  __syncthreads();
  sum = {0, 0};
  for (uint32_t warp = 0; warp < kOptimizerThreads / 32; warp++) sum = {sum.direction + directions[warp], sum.param + params[warp]};
  // Before the next call writes there.
  __syncthreads();
  return sum;
}

// Elements of a partial sum.
constexpr uint64_t kNormSegment = 8192;

// factor: what a direction lacks of the one whose norm counts.
template <class Rule>
__global__ void __launch_bounds__(kOptimizerThreads) measure_norms(Update32<Rule> update, double factor, Squares *partial, uint64_t segments) {
  for (uint64_t segment = blockIdx.x; segment < segments; segment += gridDim.x) {
    Squares sum = {0, 0};
    const uint64_t end = min((segment + 1) * kNormSegment, update.size);
    for (uint64_t i = segment * kNormSegment + threadIdx.x; i < end; i += blockDim.x) {
      Element<float> e = update.element(i);
      e.g = update.step.gradient(e.g);
      const double param = static_cast<double>(e.p), direction = static_cast<double>(update.step.gradient.skips(e.g) ? 0 : update.step.rule(e)) * factor;
      sum = {sum.direction + direction * direction, sum.param + param * param};
    }
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) partial[segment] = sum;
  }
}

// When the norm of the direction exceeds max_unorm times the parameter's, plus slack, the ratio of both scales the rate.
struct TrustRule {
  double max_unorm, slack;
  bool applies;
};

// One thread block. update_norm may be null.
__global__ void __launch_bounds__(kOptimizerThreads) decide_trust(const Squares *partial, uint64_t count, TrustRule rule, float *update_norm, float *trust) {
  Squares sum = {0, 0};
  for (uint64_t i = threadIdx.x; i < count; i += blockDim.x) sum = {sum.direction + partial[i].direction, sum.param + partial[i].param};
  sum = sum_of_block(sum);
  if (threadIdx.x > 0) return;
  const double direction = sqrt(sum.direction), bound = rule.max_unorm * sqrt(sum.param) + rule.slack;
  if (update_norm) *update_norm = static_cast<float>(direction);
  *trust = rule.applies && direction > bound ? static_cast<float>(bound / direction) : 1;
}

}  // namespace hb
