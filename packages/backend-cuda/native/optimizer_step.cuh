// A step of one element, and of the eight that a thread holds, whatever their states are stored as (core/src/reference/optimizer.ts).
#pragma once
#include "any_floats.cuh"
#include "block_scale.cuh"
#include "float32.h"
#include "optimizer_rule.h"

namespace hb {

constexpr uint32_t kOptimizerThreads = 256;

template <class Rule>
struct OptimizerStep {
  Rule rule;
  Motion move;
  Gradient gradient;
  // Two-state CUDA kernels clear 8-bit states and leave the parameter alone where the gradient is NaN or infinite.
  bool clears_non_finite;

  // Updates the states and returns the new parameter.
  __device__ float advance(Element<float> &e) const { return move(e.p, rule(e)); }

  // The same with a look at the gradient, as it was before it was scaled.
  __device__ float advance_unless_kept(Element<float> &e, float raw_gradient) const {
    if (clears_non_finite && magnitude_bits(raw_gradient) >= kInfinity) {
      e.s1 = e.slow = e.s2 = 0;
      return e.p;
    }
    return gradient.skips(e.g) ? e.p : advance(e);
  }

  __device__ bool may_keep() const { return gradient.skip_zeros || clears_non_finite; }
};

// Eight elements, the gradients not scaled yet. States that a rule has not are never touched.
template <class Rule>
struct OptimizerOctet {
  float p[kPerThread], g[kPerThread], s1[kPerThread], slow[kPerThread], s2[kPerThread];

  // What usually runs has no conditions in it.
  __device__ void advance(const OptimizerStep<Rule> &step) {
    if (step.may_keep()) each(step, [&](Element<float> &e, float raw) { return step.advance_unless_kept(e, raw); });
    else each(step, [&](Element<float> &e, float) { return step.advance(e); });
  }

  __device__ Element<float> element(const Gradient &gradient, uint32_t i) const {
    return {p[i], gradient(g[i]), s1[i], Rule::stacked ? slow[i] : 0, Rule::two_states ? s2[i] : 0};
  }

 private:
  template <class Advance>
  __device__ void each(const OptimizerStep<Rule> &step, const Advance &advance) {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) {
      Element<float> e = element(step.gradient, i);
      p[i] = advance(e, g[i]);
      s1[i] = e.s1;
      if (Rule::stacked) slow[i] = e.slow;
      if (Rule::two_states) s2[i] = e.s2;
    }
  }
};

}  // namespace hb
