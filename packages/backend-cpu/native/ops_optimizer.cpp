// Optimizer steps (core/src/reference/optimizer.ts).
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "enqueue.h"
#include "tables.h"

using namespace hb;

namespace {

struct Update32 {
  hb_optimizer optimizer;
  MutableFloats param;
  Floats grad;
  float *state1, *state2;
  uint64_t size;
  hb_step step;
  hb_profile profile;
};

// Of the states; the second only when there is one.
struct Maps {
  Map8 first, second;
};

struct Norms {
  double direction, param;
};

double element_cost() { return cost_of(cost::step_32bit, &Kernels::optimizer_32bit); }

// Squares are summed in pieces of this size, whatever the number of threads, so that the sums do not depend on it.
constexpr uint64_t kNormPiece = 16384;

using NormPieces = std::vector<Norms>;

Stage measure_norms(const Update32 &u, const std::shared_ptr<NormPieces> &pieces) {
  return loop({pieces->size(), total(element_cost(), kNormPiece)}, [=](uint64_t begin, uint64_t end, int) {
    for (uint64_t piece = begin; piece < end; piece++) {
      const uint64_t first = piece * kNormPiece;
      const uint64_t last = std::min(first + kNormPiece, u.size);
      Norms &norms = (*pieces)[piece];
      kernels().optimizer_32bit(u.optimizer, u.step, u.profile, 1, u.size, first, last, u.param, u.grad, u.state1, u.state2, &norms.direction,
                                &norms.param);
    }
  });
}

Norms sum_norms(const NormPieces &pieces) {
  Norms squares{0, 0};
  for (const Norms &piece : pieces) squares = {squares.direction + piece.direction, squares.param + piece.param};
  return {std::sqrt(squares.direction), std::sqrt(squares.param)};
}

// max·P/U when U exceeds it, else 1; rules with one state add eps to the bound.
float trust_ratio(const Update32 &u, const Norms &norms) {
  const bool two_states = u.optimizer == HB_ADAM || u.optimizer == HB_ADEMAMIX;
  const double bound = u.step.max_unorm * norms.param + (two_states ? 0 : u.step.eps);
  return norms.direction > bound ? static_cast<float>(bound / norms.direction) : 1;
}

Task update_32bit(const Update32 &u, bool trusted, float *update_norm) {
  const bool measures = u.step.max_unorm > 0;
  const auto pieces = std::make_shared<NormPieces>(measures ? ceil_div(u.size, kNormPiece) : 0, Norms{0, 0});
  const auto trust = std::make_shared<float>(1.f);
  const auto decide = [=] {
    const Norms norms = sum_norms(*pieces);
    if (update_norm) *update_norm = static_cast<float>(norms.direction);
    if (measures && trusted) *trust = trust_ratio(u, norms);
  };
  const auto update = [=](uint64_t begin, uint64_t end, int) {
    kernels().optimizer_32bit(u.optimizer, u.step, u.profile, *trust, u.size, begin, end, u.param, u.grad, u.state1, u.state2, nullptr, nullptr);
  };
  return {measure_norms(u, pieces), once(decide), loop({u.size, element_cost(), 64}, update)};
}

}  // namespace

extern "C" {

hb_status hb_optimizer_update_32bit(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                    hb_dtype grad_dtype, float *state1, float *state2, uint64_t size, const hb_step *host_step,
                                    hb_profile profile, int32_t trust, float *update_norm) {
  const Update32 update = {optimizer, {param, param_dtype}, {grad, grad_dtype}, state1, state2, size, *host_step, profile};
  const int passes = host_step->max_unorm > 0 ? 2 : 1;
  return enqueue(queue, total(element_cost(), size, passes), [=] { return update_32bit(update, trust != 0, update_norm); });
}

hb_status hb_optimizer_update_8bit_blockwise(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                             hb_dtype grad_dtype, uint8_t *state1, uint8_t *state2, const float *code1, const float *code2,
                                             float *absmax1, float *absmax2, uint64_t size, uint64_t block_size, const hb_step *host_step,
                                             hb_profile profile) {
  const hb_step step = *host_step;
  const double each = cost_of(cost::step_8bit, &Kernels::optimizer_8bit);
  return enqueue(queue, total(each, size), [=] {
    const auto maps = std::make_shared<Maps>();
    const auto make_maps = [=] {
      maps->first = make_map8(code1);
      if (code2) maps->second = make_map8(code2);
    };
    const auto update = [=](uint64_t begin, uint64_t end, int) {
      kernels().optimizer_8bit(optimizer, step, profile, size, block_size, begin, end, {param, param_dtype}, {grad, grad_dtype}, state1, state2,
                               maps->first, code2 ? &maps->second : nullptr, absmax1, absmax2);
    };
    return Task{once(make_maps), loop({ceil_div(size, block_size), total(each, block_size)}, update)};
  });
}
}
