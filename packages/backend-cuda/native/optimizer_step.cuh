// A step of one element, and of the neighbours that a thread holds, whatever their states are stored as (core/src/reference/optimizer.ts).
#pragma once
#include "any_floats.cuh"
#include "block_scale.cuh"
#include "float32.h"
#include "optimizer_rule.h"

namespace hb {

constexpr uint32_t kOptimizerThreads = 256;

// Each file's own, as the rules are.
namespace {

// The rules with one state differ by little beside what they have in common: one kernel runs them all.
struct OneState {
  static constexpr bool two_states = false, stacked = false;

  explicit OneState(const Momentum &rule) : optimizer(HB_MOMENTUM), momentum(rule) {}
  explicit OneState(const Lion &rule) : optimizer(HB_LION), lion(rule) {}
  explicit OneState(const Rmsprop &rule) : optimizer(HB_RMSPROP), rmsprop(rule) {}
  explicit OneState(const Adagrad &rule) : optimizer(HB_ADAGRAD), adagrad(rule) {}

  __device__ float operator()(Element<float> &e) const {
    switch (optimizer) {
      case HB_MOMENTUM: return momentum(e);
      case HB_LION: return lion(e);
      case HB_RMSPROP: return rmsprop(e);
      default: return adagrad(e);
    }
  }

 private:
  hb_optimizer optimizer;
  union {
    Momentum momentum;
    Lion lion;
    Rmsprop rmsprop;
    Adagrad adagrad;
  };
};

}  // namespace

// What kernels are made for, of a rule.
template <class Rule>
using KernelRule = std::conditional_t<Rule::two_states, Rule, OneState>;

template <class Rule>
struct OptimizerStep {
  Rule rule;
  Motion move;
  Gradient gradient;
  // Two-state CUDA kernels clear 8-bit states and leave the parameter alone where the gradient is NaN or infinite.
  bool clears_non_finite;

  // Updates the states and the parameter of `e`.
  __device__ void advance(Element<float> &e) const { e.p = move(e.p, rule(e)); }

  // Whether there may be elements that do not advance.
  __device__ bool may_keep() const { return gradient.skip_zeros || clears_non_finite; }
  __device__ bool clears(float raw_gradient) const { return clears_non_finite && !(fabsf(raw_gradient) < INFINITY); }
  __device__ bool keeps(float raw_gradient) const { return clears(raw_gradient) || gradient.skips(gradient(raw_gradient)); }
};

// The elements of one thread, their gradients not scaled yet. States that a rule has not are never touched.
template <class Rule, uint32_t count>
struct OptimizerElements {
  float p[count], g[count], s1[count], slow[count], s2[count];

  // All of them: no condition holds them up.
  __device__ void advance(const OptimizerStep<Rule> &step) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) {
      Element<float> e = {p[i], step.gradient(g[i]), s1[i], Rule::stacked ? slow[i] : 0, Rule::two_states ? s2[i] : 0};
      step.advance(e);
      p[i] = e.p;
      s1[i] = e.s1;
      if (Rule::stacked) slow[i] = e.slow;
      if (Rule::two_states) s2[i] = e.s2;
    }
  }

  // Takes those back that should not have, of the elements from `at` on. Few steps keep anything, so that what was before is fetched again: before(i) is
  // element i with its gradient unscaled.
  template <class Before>
  __device__ void take_back(const OptimizerStep<Rule> &step, uint64_t at, uint64_t size, const Before &before) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) {
      if (at + i >= size) continue;
      const Element<float> old = before(at + i);
      if (!step.keeps(old.g)) continue;
      const bool clears = step.clears(old.g);
      p[i] = old.p;
      s1[i] = clears ? 0 : old.s1;
      if (Rule::stacked) slow[i] = clears ? 0 : old.slow;
      if (Rule::two_states) s2[i] = clears ? 0 : old.s2;
    }
  }
};

}  // namespace hb
