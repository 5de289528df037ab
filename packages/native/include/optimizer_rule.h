// The update rules of bitsandbytes, element by element, in f32 (core/src/reference/optimizer-rule.ts).
//
// A rule is a function object: built from a step, its scalars such as 1 − β computed in float64 and rounded once; called with an
// element, it updates the states and returns the direction. Sums of a product are fused where torch fuses them.
//
// F is float, on a CPU or on a GPU, or the lanes of an instruction set (lanes_avx512.h): the rules are written once, so that all kernels of all libraries
// round alike.
//
// float32.h is the library's own: fused_multiply_add, square_root and sign_of of a float, wherever its kernels run.
#pragma once
#include <cmath>

#include "float32.h"
#include "halfbyte.h"

// What kernels call; what is made of a step is made on the host.
#if defined(__CUDACC__)
#define HB_KERNEL __device__
#else
#define HB_KERNEL
#endif

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// One element on its way through a step: parameter, gradient, up to three states.
template <class F>
struct Element {
  F p, g;
  // First moment, momentum or squared sum; second, slow moment of AdEMAMix; second moment.
  F s1, slow, s2;
};

inline float rounded(double value) { return static_cast<float>(value); }

#if defined(__CUDACC__)
// Libraries for CUDA run on systems that are older than today's pow of f64.
inline double power(double base, int64_t exponent) { return static_cast<double>(powl(base, static_cast<long double>(exponent))); }
#else
inline double power(double base, int64_t exponent) { return std::pow(base, static_cast<double>(exponent)); }
#endif
// √(1 − β2^t).
inline double second_correction(const hb_step &step) { return std::sqrt(1 - power(step.beta2, step.step)); }
inline double first_correction(const hb_step &step) { return 1 - power(step.beta1, step.step); }
// What bias correction does to an Adam step.
inline double adam_correction(const hb_step &step) { return second_correction(step) / first_correction(step); }

// A running mean, of values or of squares.
struct Mean {
  float beta, one_minus_beta;

  explicit Mean(double exact) : beta(rounded(exact)), one_minus_beta(rounded(1 - exact)) {}
  template <class F>
  HB_KERNEL F blend(F mean, F x) const {
    return fused_multiply_add(x, one_minus_beta, mean * beta);
  }
  template <class F>
  HB_KERNEL F blend_square(F mean, F x) const {
    return fused_multiply_add(one_minus_beta * x, x, mean * beta);
  }
};

// Coupled decay: the gradient plus wd · p.
template <class F>
HB_KERNEL F coupled(const Element<F> &e, float decay) {
  return decay == 0 ? e.g : fused_multiply_add(e.p, decay, e.g);
}

// m / (√v + eps · c2); the factor c2 / c1 is part of the rate.
struct Adam {
  static constexpr bool two_states = true, stacked = false, decoupled = true, decays_first = false;
  Mean first, second;
  float eps;

  explicit Adam(const hb_step &step) : first(step.beta1), second(step.beta2), eps(rounded(step.eps * second_correction(step))) {}
  static double rate(const hb_step &step) { return step.lr * adam_correction(step); }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    e.s1 = first.blend(e.s1, e.g);
    e.s2 = second.blend_square(e.s2, e.g);
    return e.s1 / (square_root(e.s2) + eps);
  }
};

// (m1 / c1 + α · m2) / (√v / c2 + eps), arXiv 2409.03137.
struct Ademamix {
  static constexpr bool two_states = true, stacked = true, decoupled = true, decays_first = false;
  Mean first, slow, second;
  float c1, c2, alpha, eps;

  explicit Ademamix(const hb_step &step)
      : first(step.beta1), slow(step.beta3), second(step.beta2), c1(rounded(first_correction(step))), c2(rounded(second_correction(step))),
        alpha(rounded(step.alpha)), eps(rounded(step.eps)) {}
  static double rate(const hb_step &step) { return step.lr; }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    e.s1 = first.blend(e.s1, e.g);
    e.slow = slow.blend(e.slow, e.g);
    e.s2 = second.blend_square(e.s2, e.g);
    return fused_multiply_add(alpha, e.slow, e.s1 / c1) / (square_root(e.s2) / c2 + eps);
  }
};

// The first step takes the gradient itself.
struct Momentum {
  static constexpr bool two_states = false, stacked = false, decoupled = false, decays_first = false;
  float beta1, decay;
  bool is_first;

  explicit Momentum(const hb_step &step) : beta1(rounded(step.beta1)), decay(rounded(step.weight_decay)), is_first(step.step == 1) {}
  static double rate(const hb_step &step) { return step.lr; }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    const F g = coupled(e, decay);
    e.s1 = is_first ? g : e.s1 * beta1 + g;
    return e.s1;
  }
};

// The sign of a blend, then the momentum (arXiv 2302.06675). Decay comes first in the CUDA source too.
struct Lion {
  static constexpr bool two_states = false, stacked = false, decoupled = true, decays_first = true;
  Mean direction, momentum;

  explicit Lion(const hb_step &step) : direction(step.beta1), momentum(step.beta2) {}
  static double rate(const hb_step &step) { return step.lr; }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    const F blended = direction.blend(e.s1, e.g);
    e.s1 = momentum.blend(e.s1, e.g);
    return sign_of(blended);
  }
};

struct Rmsprop {
  static constexpr bool two_states = false, stacked = false, decoupled = false, decays_first = false;
  Mean squares;
  float eps, decay;

  explicit Rmsprop(const hb_step &step) : squares(step.beta1), eps(rounded(step.eps)), decay(rounded(step.weight_decay)) {}
  static double rate(const hb_step &step) { return step.lr; }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    const F g = coupled(e, decay);
    e.s1 = squares.blend_square(e.s1, g);
    return g / (square_root(e.s1) + eps);
  }
};

struct Adagrad {
  static constexpr bool two_states = false, stacked = false, decoupled = false, decays_first = false;
  float eps, decay;

  explicit Adagrad(const hb_step &step) : eps(rounded(step.eps)), decay(rounded(step.weight_decay)) {}
  static double rate(const hb_step &step) { return step.lr; }
  template <class F>
  HB_KERNEL F operator()(Element<F> &e) const {
    const F g = coupled(e, decay);
    e.s1 = fused_multiply_add(g, g, e.s1);
    return g / (square_root(e.s1) + eps);
  }
};

// Calls run with the rule of an optimizer.
template <class Run>
void with_rule(hb_optimizer optimizer, const hb_step &step, Run run) {
  switch (optimizer) {
    case HB_ADAM: return run(Adam(step));
    case HB_ADEMAMIX: return run(Ademamix(step));
    case HB_MOMENTUM: return run(Momentum(step));
    case HB_LION: return run(Lion(step));
    case HB_RMSPROP: return run(Rmsprop(step));
    case HB_ADAGRAD: return run(Adagrad(step));
  }
}

// How a direction moves a parameter: p −= rate · direction, and decoupled decay before that, or after it on CUDA.
struct Motion {
  float rate;
  float decay;
  bool decays_after;

  template <class F>
  HB_KERNEL F operator()(F p, F direction) const {
    if (decays_after) return fused_multiply_add(-rate, direction, p) * decay;
    return fused_multiply_add(-rate, direction, p * decay);
  }
};

template <class Rule>
Motion motion_of(const Rule &, const hb_step &step, hb_profile profile, float trust) {
  const bool decays = Rule::decoupled && step.weight_decay > 0;
  return {rounded(Rule::rate(step)) * trust, decays ? rounded(1 - step.lr * step.weight_decay) : 1, profile == HB_CUDA && !Rule::decays_first};
}

// What a direction lacks of the one whose norm counts: CUDA has one kernel for all Adam-like rules and measures the bias-corrected direction.
inline double norm_factor(hb_optimizer optimizer, const hb_step &step, hb_profile profile) {
  return profile == HB_CUDA && optimizer == HB_ADAM ? adam_correction(step) : 1;
}

// The gradient of an element, scaled; such as are zero may be skipped.
struct Gradient {
  float scale;
  bool skip_zeros;

  explicit Gradient(const hb_step &step) : scale(rounded(step.grad_scale)), skip_zeros(step.skip_zeros != 0) {}
  template <class F>
  HB_KERNEL F operator()(F raw) const {
    return scale * raw;
  }
  HB_KERNEL bool skips(float scaled) const { return skip_zeros && scaled == 0; }
};

}  // namespace
}  // namespace hb
