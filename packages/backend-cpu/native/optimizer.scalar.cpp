// Optimizer steps: f32 states, or 8-bit states decoded and encoded block by block (core/src/reference/optimizer.ts).
#include "optimizer_rule.h"

#include "block_scale.h"
#include "encode.h"
#include "scalar.h"

namespace hb::scalar {

namespace {

Floats readable(MutableFloats array) { return {array.data, array.dtype}; }

// The f32 states of a tensor; stacked ones lie `size` elements apart.
template <class Rule>
struct States32 {
  float *state1, *state2;
  uint64_t size;

  Element load(uint64_t i, float p, float g) const {
    return {p, g, state1[i], Rule::stacked ? state1[size + i] : 0, Rule::two_states ? state2[i] : 0};
  }
  void store(uint64_t i, const Element &e) const {
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
      Element e = states.load(at + i, params[i], g);
      params[i] = move(params[i], rule(e));
      states.store(at + i, e);
    }
    narrow(params, count, param, at);
  });
}

// `factor` is what the direction lacks of the one whose norm counts.
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
      Element e = states.load(at + i, params[i], gradient(grads[i]));
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
    // CUDA has one kernel for all Adam-like rules and measures the bias-corrected direction.
    const double factor = profile == HB_CUDA && optimizer == HB_ADAM ? adam_correction(step) : 1;
    measure_norms(rule, factor, gradient, states, readable(param), grad, begin, end, direction_norm, param_norm);
  });
}

namespace {

// One block of an 8-bit state: decoded with the old absmax, encoded with the new one.
class StateBlock {
 public:
  StateBlock(uint8_t *codes, float *absmax, const Map8 &map, hb_profile profile)
      : codes_(codes), absmax_(absmax), old_absmax_(*absmax), map_(map), is_cuda_(profile == HB_CUDA) {}

  float decode(uint64_t i) const { return map_.code[codes_[i]] * old_absmax_; }

  void measure(float value) { magnitude_.add(value); }

  // All values are measured: the new absmax is known.
  void settle() {
    const hb_profile profile = is_cuda_ ? HB_CUDA : HB_REFERENCE;
    scaled_ = scaling_of(magnitude_.absmax(profile), profile);
    *absmax_ = scaled_.absmax;
    // CUDA writes code 0 where every scaled value is 0 or NaN, which is so when absmax is 0 or infinite.
    is_cleared_ = is_cuda_ && (scaled_.absmax == 0 || !is_finite(scaled_.absmax));
  }

  void encode(uint64_t i, float value) {
    codes_[i] = is_cuda_ ? with_sign_of(value, is_cleared_ ? uint8_t{0} : NearestTieToEven{map_}(scaled_(value)))
                         : NearestOf256{map_}(scaled_(value));
  }

 private:
  // CUDA moves a code whose sign bit differs from the state's one step toward it. NaN counts as positive, but not as above 0.
  uint8_t with_sign_of(float value, uint8_t code) const {
    if (is_negative(map_.code[code]) == is_negative(value)) return code;
    if (value > 0) return code == 255 ? code : static_cast<uint8_t>(code + 1);
    return code == 0 ? code : static_cast<uint8_t>(code - 1);
  }
  static bool is_negative(float value) { return std::signbit(value) && !is_nan(value); }

  uint8_t *codes_;
  float *absmax_;
  float old_absmax_;
  const Map8 &map_;
  bool is_cuda_;
  Magnitude magnitude_;
  Scaling scaled_ = {};
  bool is_cleared_ = false;
};

// The blocks of all states of a rule; those it has not are never touched and stand for the first.
template <class Rule>
struct States8 {
  StateBlock first, slow, second;

  Element load(uint64_t i, float p, float g) const {
    return {p, g, first.decode(i), Rule::stacked ? slow.decode(i) : 0, Rule::two_states ? second.decode(i) : 0};
  }
  void measure(const Element &e) {
    first.measure(e.s1);
    if (Rule::stacked) slow.measure(e.slow);
    if (Rule::two_states) second.measure(e.s2);
  }
  void settle() {
    first.settle();
    if (Rule::stacked) slow.settle();
    if (Rule::two_states) second.settle();
  }
  void encode(uint64_t i, const Element &e) {
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
  float advance(Element &e, float raw_gradient) const {
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
        Element e = states.load(at + i, params[i], gradient(grads[i]));
        advance(e, grads[i]);
        states.measure(e);
      }
    });
    states.settle();
    for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
      const float *grads = load(at, count);
      for (uint64_t i = 0; i < count; i++) {
        Element e = states.load(at + i, params[i], gradient(grads[i]));
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
