// Optimizer steps many elements at a time: the loops of optimizer.scalar.cpp over the lanes of an instruction set. The rules and their roundings are those
// of optimizer_rule.h, so that every state, code and absmax equals the scalar one to the bit.
//
// Tails go to the scalar kernels; so do 8-bit blocks that are no multiple of 64, larger than 4096 (bitsandbytes has 256), or whose map has no vector
// encoder.
//
// Isa names what an instruction set brings: Lanes and LargestLanes (lanes_avx512.h), and what StateCodec asks for.
#pragma once
#include <optional>

#include "float_array_lanes.h"
#include "optimizer_rule.h"
#include "scalar.h"
#include "state_block.h"
#include "state_codec.h"

namespace hb {
namespace {

/// A step of one element per lane.
template <class Rule>
struct LaneStep {
  Rule rule;
  Motion move;
  Gradient gradient;
  /// Two-state CUDA kernels clear 8-bit states and leave the parameter alone where the gradient is NaN or infinite.
  bool clears_non_finite;

  /// Returns the new parameters and updates the states of `e`.
  template <class Lanes>
  inline Lanes advance(Element<Lanes> &e, Lanes raw_gradient) const {
    const Element<Lanes> before = e;
    Lanes p = move(e.p, rule(e));
    if (gradient.skip_zeros) p = put_back(is_zero(before.g), before, e, p);
    if (clears_non_finite) p = put_back(is_not_finite(raw_gradient), {before.p, 0, 0, 0, 0}, e, p);
    return p;
  }

 private:
  template <class Lanes>
  static inline Lanes put_back(typename Lanes::Mask lanes, const Element<Lanes> &old, Element<Lanes> &e, Lanes p) {
    e.s1 = select(lanes, old.s1, e.s1);
    if (Rule::stacked) e.slow = select(lanes, old.slow, e.slow);
    if (Rule::two_states) e.s2 = select(lanes, old.s2, e.s2);
    return select(lanes, old.p, p);
  }
};

// ── 32-bit states ──

template <class Lanes, class Rule>
struct LaneStates32 {
  float *state1, *state2;
  uint64_t size;

  inline Element<Lanes> load(uint64_t i, Lanes p, Lanes g) const {
    return {p, g, Lanes::load(state1 + i), Rule::stacked ? Lanes::load(state1 + size + i) : Lanes(0),
            Rule::two_states ? Lanes::load(state2 + i) : Lanes(0)};
  }
  inline void store(uint64_t i, const Element<Lanes> &e) const {
    e.s1.store(state1 + i);
    if (Rule::stacked) e.slow.store(state1 + size + i);
    if (Rule::two_states) e.s2.store(state2 + i);
  }
};

template <class Lanes, class Rule>
void move_lanes(const LaneStep<Rule> step, const LaneStates32<Lanes, Rule> states, MutableFloats param, Floats grad, uint64_t begin, uint64_t end) {
  alignas(64) float buffer[piece_size];
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    const float *const grads = widened_lanes<Lanes>(grad, at, count, buffer);
    update_widened<Lanes>(param, at, count, [&](float *params) {
      for (uint64_t i = 0; i < count; i += Lanes::count) {
        const Lanes raw = Lanes::load(grads + i);
        Element<Lanes> e = states.load(at + i, Lanes::load(params + i), step.gradient(raw));
        step.advance(e, raw).store(params + i);
        states.store(at + i, e);
      }
    });
  });
}

/// Two chains of additions hide each other's latency.
inline void add_in_order(const double *terms1, const double *terms2, uint64_t count, double &sum1, double &sum2) {
  double s1 = sum1, s2 = sum2;
  for (uint64_t i = 0; i < count; i++) {
    s1 += terms1[i];
    s2 += terms2[i];
  }
  sum1 = s1, sum2 = s2;
}

/// Directions and squares are computed by lanes, the sums in the order of the scalar kernel.
template <class Lanes, class Rule>
void measure_lanes(const LaneStep<Rule> step, double factor, const LaneStates32<Lanes, Rule> states, Floats param, Floats grad, uint64_t begin,
                   uint64_t end, double &direction_norm, double &param_norm) {
  alignas(64) float params_buffer[piece_size], grads_buffer[piece_size];
  alignas(64) double directions[piece_size], squares[piece_size];
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    const float *const params = widened_lanes<Lanes>(param, at, count, params_buffer);
    const float *const grads = widened_lanes<Lanes>(grad, at, count, grads_buffer);
    for (uint64_t i = 0; i < count; i += Lanes::count) {
      const Lanes p = Lanes::load(params + i);
      Element<Lanes> e = states.load(at + i, p, step.gradient(Lanes::load(grads + i)));
      const Lanes direction = step.rule(e);
      p.store_squares(1, squares + i);
      (step.gradient.skip_zeros ? select(is_zero(e.g), Lanes(0), direction) : direction).store_squares(factor, directions + i);
    }
    add_in_order(squares, directions, count, param_norm, direction_norm);
  });
}

template <class Isa>
void optimizer_32bit_lanes(hb_optimizer optimizer, const hb_step &step, hb_profile profile, float trust, uint64_t size, uint64_t begin, uint64_t end,
                           MutableFloats param, Floats grad, float *state1, float *state2, double *direction_norm, double *param_norm) {
  using Lanes = typename Isa::Lanes;
  const uint64_t whole = end - (end - begin) % Lanes::count;
  with_rule(optimizer, step, [&](const auto &rule) {
    using Rule = std::decay_t<decltype(rule)>;
    const LaneStep<Rule> update = {rule, motion_of(rule, step, profile, trust), Gradient(step), false};
    const LaneStates32<Lanes, Rule> states = {state1, state2, size};
    if (!direction_norm) return move_lanes(update, states, param, grad, begin, whole);
    const double factor = norm_factor(optimizer, step, profile);
    measure_lanes(update, factor, states, Floats{param.data, param.dtype}, grad, begin, whole, *direction_norm, *param_norm);
  });
  scalar::optimizer_32bit(optimizer, step, profile, trust, size, whole, end, param, grad, state1, state2, direction_norm, param_norm);
}

// ── 8-bit states ──

constexpr uint64_t largest_lane_block = 4096;

/// The block of one 8-bit state that is being updated; `values` has room for it.
template <class Isa>
struct LaneState8 {
  using Lanes = typename Isa::Lanes;
  using Codec = StateCodec<Isa>;

  const Codec *codec;
  const Map8 *map;
  hb_profile profile;
  float *values;
  uint8_t *codes;
  float *absmax;
  typename Isa::LargestLanes largest;

  LaneState8(const Codec &c, const Map8 &m, hb_profile p, float *v) : codec(&c), map(&m), profile(p), values(v), codes(nullptr), absmax(nullptr) {}

  inline void enter(uint8_t *block_codes, float *block_absmax) {
    codes = block_codes;
    absmax = block_absmax;
    largest = {};
  }

  /// All values are there: the new absmax is known.
  void encode(uint64_t count) const {
    const float found = from_bits(largest.largest());
    const bool is_zero_block = found == 0 && profile != HB_CUDA;
    // Elsewhere a reciprocal is infinite, or not exact enough for the encoder, or there are NaN.
    if (!is_zero_block && !(found >= 0x1p-126f && found <= 0x1p120f)) return encode_scalar(count);
    *absmax = found;
    codec->encode(values, count, scaling_of(found, profile).factor, codes);
  }

 private:
  [[gnu::noinline]] void encode_scalar(uint64_t count) const {
    StateBlock block(codes, absmax, *map, profile);
    for (uint64_t i = 0; i < count; i++) block.measure(values[i]);
    block.settle();
    for (uint64_t i = 0; i < count; i++) block.encode(i, values[i]);
  }
};

/// One state while a piece of its block is computed: what would be reloaded after every store, were it not local.
template <class Isa>
struct LanePiece8 {
  using Lanes = typename Isa::Lanes;
  static constexpr uint64_t group = StateCodec<Isa>::group, vectors = group / Lanes::count;

  const StateCodec<Isa> *const codec;
  const uint8_t *const codes;
  float *const values;
  const float absmax;
  typename Isa::LargestLanes largest;

  LanePiece8(const LaneState8<Isa> &state, uint64_t at)
      : codec(state.codec), codes(state.codes + at), values(state.values + at), absmax(*state.absmax), largest(state.largest) {}

  inline void decode(uint64_t i, Lanes (&out)[vectors]) const { codec->decode(codes + i, absmax, out); }
  inline void put(uint64_t i, Lanes value) {
    value.store(values + i);
    largest.add(value);
  }
};

/// All states of a rule; those it has not are never touched.
template <class Isa, class Rule>
struct LaneStates8 {
  using Lanes = typename Isa::Lanes;
  using Piece = LanePiece8<Isa>;

  LaneState8<Isa> first, slow, second;

  /// Elements [at, at + count) of the block.
  inline void advance(const LaneStep<Rule> step, uint64_t at, uint64_t count, float *params, const float *grads) {
    Piece m(first, at), n(Rule::stacked ? slow : first, at), v(Rule::two_states ? second : first, at);
    for (uint64_t i = 0; i < count; i += Piece::group) {
      Lanes s1[Piece::vectors], moment[Piece::vectors], s2[Piece::vectors];
      m.decode(i, s1);
      if constexpr (Rule::stacked) n.decode(i, moment);
      if constexpr (Rule::two_states) v.decode(i, s2);
#pragma GCC unroll 4
      for (uint64_t part = 0; part < Piece::vectors; part++) {
        const uint64_t lane = i + part * Lanes::count;
        const Lanes raw = Lanes::load(grads + lane);
        Element<Lanes> e = {Lanes::load(params + lane), step.gradient(raw), s1[part], Lanes(0), Lanes(0)};
        if constexpr (Rule::stacked) e.slow = moment[part];
        if constexpr (Rule::two_states) e.s2 = s2[part];
        step.advance(e, raw).store(params + lane);
        m.put(lane, e.s1);
        if constexpr (Rule::stacked) n.put(lane, e.slow);
        if constexpr (Rule::two_states) v.put(lane, e.s2);
      }
    }
    first.largest = m.largest;
    if constexpr (Rule::stacked) slow.largest = n.largest;
    if constexpr (Rule::two_states) second.largest = v.largest;
  }

  inline void encode(uint64_t count) const {
    first.encode(count);
    if constexpr (Rule::stacked) slow.encode(count);
    if constexpr (Rule::two_states) second.encode(count);
  }
};

template <class Lanes>
inline bool all_zero_lanes(Floats grad, BlockRange block) {
  bool all = true;
  alignas(64) float buffer[piece_size];
  for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
    const float *const values = widened_lanes<Lanes>(grad, at, count, buffer);
    for (uint64_t i = 0; i < count; i += Lanes::count) all &= Lanes::all_of(is_zero(Lanes::load(values + i)));
  });
  return all;
}

template <class Isa, class Rule>
inline void step_block(const LaneStep<Rule> &step, LaneStates8<Isa, Rule> &states, MutableFloats param, Floats grad, BlockRange block) {
  using Lanes = typename Isa::Lanes;
  alignas(64) float buffer[piece_size];
  for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
    const float *const grads = widened_lanes<Lanes>(grad, at, count, buffer);
    update_widened<Lanes>(param, at, count, [&](float *params) { states.advance(step, at - block.begin, count, params, grads); });
  });
  states.encode(block.end - block.begin);
}

template <class Isa>
void optimizer_8bit_lanes(hb_optimizer optimizer, const hb_step &step, hb_profile profile, uint64_t size, uint64_t block_size, uint64_t begin,
                          uint64_t end, MutableFloats param, Floats grad, uint8_t *state1, uint8_t *state2, const Map8 &map1, const Map8 *map2,
                          float *absmax1, float *absmax2) {
  using Codec = StateCodec<Isa>;
  const uint64_t blocks = (size + block_size - 1) / block_size;
  const auto scalar_blocks = [&](uint64_t first, uint64_t last) {
    scalar::optimizer_8bit(optimizer, step, profile, size, block_size, first, last, param, grad, state1, state2, map1, map2, absmax1, absmax2);
  };
  const uint64_t whole = block_size % 64 || block_size > largest_lane_block ? begin : size % 64 && end == blocks ? end - 1 : end;
  with_rule(optimizer, step, [&](const auto &rule) {
    using Rule = std::decay_t<decltype(rule)>;
    if (whole <= begin) return scalar_blocks(begin, end);
    const Codec codec1(map1, profile);
    std::optional<Codec> codec2;
    if (Rule::two_states) codec2.emplace(*map2, profile);
    if (!codec1.suits() || (codec2 && !codec2->suits())) return scalar_blocks(begin, end);

    const LaneStep<Rule> update = {rule, motion_of(rule, step, profile, 1), Gradient(step), profile == HB_CUDA && Rule::two_states};
    alignas(64) float values[1 + Rule::stacked + Rule::two_states][largest_lane_block];
    const LaneState8<Isa> first(codec1, map1, profile, values[0]);
    LaneStates8<Isa, Rule> states = {first, first, first};
    if constexpr (Rule::stacked) states.slow.values = values[1];
    if constexpr (Rule::two_states) states.second = {*codec2, *map2, profile, values[1 + Rule::stacked]};
    for (uint64_t b = begin; b < whole; b++) {
      const BlockRange block = block_range(b, block_size, size);
      // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
      if (update.gradient.skip_zeros && all_zero_lanes<typename Isa::Lanes>(grad, block)) continue;
      states.first.enter(state1 + block.begin, absmax1 + b);
      if (Rule::stacked) states.slow.enter(state1 + size + block.begin, absmax1 + blocks + b);
      if (Rule::two_states) states.second.enter(state2 + block.begin, absmax2 + b);
      step_block(update, states, param, grad, block);
    }
    scalar_blocks(whole, end);
  });
}

}  // namespace
}  // namespace hb
