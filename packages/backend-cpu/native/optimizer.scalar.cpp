// Optimizer steps: f32 states, or 8-bit states decoded and encoded block by block (core/src/reference/optimizer.ts).
#include "optimizer_rule.h"

#include "scalar.h"
#include "state_block.h"

namespace hb::scalar {

namespace {

Floats readable(MutableFloats array) { return {array.data, array.dtype}; }

// The f32 states of a tensor; stacked ones lie `size` elements apart.
template <class Rule>
struct States32 {
  float *state1, *state2;
  uint64_t size;

  Element<float> load(uint64_t i, float p, float g) const {
    return {p, g, state1[i], Rule::stacked ? state1[size + i] : 0, Rule::two_states ? state2[i] : 0};
  }
  void store(uint64_t i, const Element<float> &e) const {
    state1[i] = e.s1;
    if (Rule::stacked) state1[size + i] = e.slow;
    if (Rule::two_states) state2[i] = e.s2;
  }
};

template <class Rule>
void move_parameters(const Rule &rule, const Motion &move, const Gradient &gradient, const States32<Rule> &states, MutableFloats param,
                     Floats grad, uint64_t begin, uint64_t end) {
  float params[piece_size], buffer[piece_size];
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    const float *grads = widened(grad, at, count, buffer);
    widen(readable(param), at, count, params);
    for (uint64_t i = 0; i < count; i++) {
      const float g = gradient(grads[i]);
      if (gradient.skips(g)) continue;
      Element<float> e = states.load(at + i, params[i], g);
      params[i] = move(params[i], rule(e));
      states.store(at + i, e);
    }
    narrow(params, count, param, at);
  });
}

template <class Rule>
void measure_norms(const Rule &rule, double factor, const Gradient &gradient, const States32<Rule> &states, Floats param, Floats grad,
                   uint64_t begin, uint64_t end, double *direction_norm, double *param_norm) {
  float params_buffer[piece_size], grads_buffer[piece_size];
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    const float *grads = widened(grad, at, count, grads_buffer);
    const float *params = widened(param, at, count, params_buffer);
    for (uint64_t i = 0; i < count; i++) {
      const double p = static_cast<double>(params[i]);
      *param_norm += p * p;
      Element<float> e = states.load(at + i, params[i], gradient(grads[i]));
      const double direction = static_cast<double>(gradient.skips(e.g) ? 0 : rule(e)) * factor;
      *direction_norm += direction * direction;
    }
  });
}

}  // namespace

void optimizer_32bit(hb_optimizer optimizer, const hb_step &step, hb_profile profile, float trust, uint64_t size, uint64_t begin, uint64_t end,
                     MutableFloats param, Floats grad, float *state1, float *state2, double *direction_norm, double *param_norm) {
  const Gradient gradient(step);
  with_rule(optimizer, step, [&](const auto &rule) {
    using Rule = std::decay_t<decltype(rule)>;
    const States32<Rule> states = {state1, state2, size};
    if (!direction_norm) return move_parameters(rule, motion_of(rule, step, profile, trust), gradient, states, param, grad, begin, end);
    const double factor = norm_factor(optimizer, step, profile);
    measure_norms(rule, factor, gradient, states, readable(param), grad, begin, end, direction_norm, param_norm);
  });
}

namespace {

// The blocks of all states of a rule; those it has not are never touched and stand for the first.
template <class Rule>
struct States8 {
  StateBlock first, slow, second;

  Element<float> load(uint64_t i, float p, float g) const {
    return {p, g, first.decode(i), Rule::stacked ? slow.decode(i) : 0, Rule::two_states ? second.decode(i) : 0};
  }
  void measure(const Element<float> &e) {
    first.measure(e.s1);
    if (Rule::stacked) slow.measure(e.slow);
    if (Rule::two_states) second.measure(e.s2);
  }
  void settle() {
    first.settle();
    if (Rule::stacked) slow.settle();
    if (Rule::two_states) second.settle();
  }
  void encode(uint64_t i, const Element<float> &e) {
    first.encode(i, e.s1);
    if (Rule::stacked) slow.encode(i, e.slow);
    if (Rule::two_states) second.encode(i, e.s2);
  }
};

// A step of one block. The states are computed twice, to measure and to encode them, since a block of any size fits no stack.
template <class Rule>
struct BlockStep {
  const Rule &rule;
  Motion move;
  Gradient gradient;
  // Two-state CUDA kernels clear the states and leave the parameter alone where the gradient is NaN or infinite.
  bool clears_non_finite;

  // Returns the new parameter and updates the states of `e`.
  float advance(Element<float> &e, float raw_gradient) const {
    if (clears_non_finite && !is_finite(raw_gradient)) {
      e.s1 = e.slow = e.s2 = 0;
      return e.p;
    }
    return gradient.skips(e.g) ? e.p : move(e.p, rule(e));
  }

  void operator()(MutableFloats param, Floats grad, BlockRange block, States8<Rule> states) const {
    float params[piece_size], buffer[piece_size];
    const auto load = [&](uint64_t at, uint64_t count) {
      widen(readable(param), at, count, params);
      return widened(grad, at, count, buffer);
    };
    for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
      const float *grads = load(at, count);
      for (uint64_t i = 0; i < count; i++) {
        Element<float> e = states.load(at + i, params[i], gradient(grads[i]));
        advance(e, grads[i]);
        states.measure(e);
      }
    });
    states.settle();
    for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
      const float *grads = load(at, count);
      for (uint64_t i = 0; i < count; i++) {
        Element<float> e = states.load(at + i, params[i], gradient(grads[i]));
        params[i] = advance(e, grads[i]);
        states.encode(at + i, e);
      }
      narrow(params, count, param, at);
    });
  }
};

bool all_zero(Floats grad, BlockRange block) {
  bool all = true;
  float buffer[piece_size];
  for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
    const float *values = widened(grad, at, count, buffer);
    for (uint64_t i = 0; i < count; i++) all &= values[i] == 0;
  });
  return all;
}

}  // namespace

void optimizer_8bit(hb_optimizer optimizer, const hb_step &step, hb_profile profile, uint64_t size, uint64_t block_size, uint64_t begin,
                    uint64_t end, MutableFloats param, Floats grad, uint8_t *state1, uint8_t *state2, const Map8 &map1, const Map8 *map2,
                    float *absmax1, float *absmax2) {
  const uint64_t blocks = (size + block_size - 1) / block_size;
  with_rule(optimizer, step, [&](const auto &rule) {
    using Rule = std::decay_t<decltype(rule)>;
    const BlockStep<Rule> update = {rule, motion_of(rule, step, profile, 1), Gradient(step), profile == HB_CUDA && Rule::two_states};
    for (uint64_t b = begin; b < end; b++) {
      const BlockRange block = block_range(b, block_size, size);
      // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
      if (update.gradient.skip_zeros && all_zero(grad, block)) continue;
      const StateBlock first(state1, absmax1 + b, map1, profile);
      update(param, grad, block,
             {first, Rule::stacked ? StateBlock(state1 + size, absmax1 + blocks + b, map1, profile) : first,
              Rule::two_states ? StateBlock(state2, absmax2 + b, *map2, profile) : first});
    }
  });
}

}  // namespace hb::scalar
