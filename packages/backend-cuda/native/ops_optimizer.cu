// hb_optimizer_update_32bit and hb_optimizer_update_8bit_blockwise.
#include "grid.h"
#include "optimizer_32bit.cuh"
#include "optimizer_8bit.cuh"
#include "scratch.h"

namespace hb {
namespace {

// A thread block that prepares maps is worth several turns.
constexpr uint64_t kMostUpdateBlocks = 4096;
// Partial sums of a norm.
constexpr uint64_t kMostPartialSums = 1024;

struct Call {
  hb_queue *queue;
  hb_optimizer optimizer;
  AnyFloats param, grad;
  uint64_t size;
  hb_step step;
  hb_profile profile;
};

template <class Rule>
OptimizerStep<KernelRule<Rule>> step_of(const Call &call, const Rule &rule, bool clears_non_finite) {
  return {KernelRule<Rule>(rule), motion_of(rule, call.step, call.profile, 1), Gradient(call.step), clears_non_finite};
}

uint64_t tiles_32bit(uint64_t size) { return ceil_div(size, uint64_t{kPerThread32} * kOptimizerThreads); }

struct States32 {
  float *state1, *state2;
};

template <class Rule>
TrustRule trust_rule(const Call &call, bool applies) {
  // Rules with one state add eps to the bound.
  return {call.step.max_unorm, Rule::two_states ? 0 : call.step.eps, applies};
}

template <class Rule>
void update_by_norms(const Call &call, const Update32<Rule> &update, const TrustRule &rule, float *update_norm, cudaStream_t stream) {
  const uint32_t count = thread_blocks(tiles_32bit(call.size), kMostPartialSums);
  const Scratch scratch(*call.queue, count * sizeof(Squares) + sizeof(float));
  auto *partial = scratch.as<Squares>();
  auto *trust = reinterpret_cast<float *>(partial + count);
  launch(measure_norms<Rule>, count, kOptimizerThreads, stream, update, norm_factor(call.optimizer, call.step, call.profile), partial);
  launch(decide_trust, 1, kOptimizerThreads, stream, partial, count, rule, update_norm, trust);
  launch(optimizer_32bit<Rule>, thread_blocks(tiles_32bit(call.size)), kOptimizerThreads, stream, update, trust);
}

void update_32bit(const Call &call, const States32 &states, bool applies_trust, float *update_norm) {
  call.queue->push([&](cudaStream_t stream) {
    const bool measures = call.step.max_unorm > 0 && call.size > 0;
    if (update_norm && !measures) expect(cudaMemsetAsync(update_norm, 0, sizeof *update_norm, stream), "cudaMemsetAsync");
    if (call.size == 0) return;
    with_rule(call.optimizer, call.step, [&](const auto &rule) {
      using Rule = KernelRule<std::decay_t<decltype(rule)>>;
      const Update32<Rule> update = {step_of(call, rule, false), call.param, call.grad, states.state1, states.state2, call.size};
      if (measures) return update_by_norms(call, update, trust_rule<Rule>(call, applies_trust), update_norm, stream);
      const float *no_trust = nullptr;
      launch(optimizer_32bit<Rule>, thread_blocks(tiles_32bit(call.size)), kOptimizerThreads, stream, update, no_trust);
    });
  });
}

struct States8 {
  uint8_t *state1, *state2;
  const float *code1, *code2;
  float *absmax1, *absmax2;
  uint64_t block_size;
};

bool is_grouped(uint64_t block_size) {
  return block_size >= kPerThread && block_size <= kLargestStateBlock && (block_size & (block_size - 1)) == 0;
}

template <class Rule>
Update8<KernelRule<Rule>> update_of(const Call &call, const States8 &states, const Rule &rule) {
  const uint64_t blocks = ceil_div(call.size, states.block_size);
  const auto coded = [&](uint8_t *codes, float *absmax, const float *map) {
    return CodedState{codes, absmax, map, {Encoder8(map, call.profile), call.profile}, is_aligned(codes, sizeof(uint2))};
  };
  const CodedState first = coded(states.state1, states.absmax1, states.code1);
  const CodedState slow = Rule::stacked ? coded(states.state1 + call.size, states.absmax1 + blocks, states.code1) : first;
  const CodedState second = Rule::two_states ? coded(states.state2, states.absmax2, states.code2) : first;
  const bool clears_non_finite = call.profile == HB_CUDA && Rule::two_states;
  return {step_of(call, rule, clears_non_finite), call.param, call.grad, first, slow, second, call.size, BlockOf(states.block_size)};
}

template <class Rule>
void launch_8bit(const Update8<Rule> &update, uint64_t block_size, cudaStream_t stream) {
  if (is_grouped(block_size)) {
    const uint64_t tiles = ceil_div(update.size, uint64_t{kPerThread} * kOptimizerThreads);
    launch(optimizer_8bit_grouped<Rule>, thread_blocks(tiles, kMostUpdateBlocks), kOptimizerThreads, stream, update, tiles);
  } else {
    const uint64_t blocks = ceil_div(update.size, block_size);
    launch(optimizer_8bit_any<Rule>, thread_blocks(blocks, kMostUpdateBlocks), block_size < 1024 ? 32u : kOptimizerThreads, stream, update, blocks);
  }
}

void update_8bit(const Call &call, const States8 &states) {
  call.queue->push([&](cudaStream_t stream) {
    if (call.size == 0) return;
    with_rule(call.optimizer, call.step, [&](const auto &rule) { launch_8bit(update_of(call, states, rule), states.block_size, stream); });
  });
}

// Kernels write to the parameter alone.
AnyFloats floats(const void *data, hb_dtype dtype) { return {const_cast<void *>(data), dtype}; }

}  // namespace
}  // namespace hb

extern "C" {

hb_status hb_optimizer_update_32bit(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                    hb_dtype grad_dtype, float *state1, float *state2, uint64_t size, const hb_step *host_step,
                                    hb_profile profile, int32_t trust, float *update_norm) {
  return hb::guarded([=] {
    const hb::Call call = {queue, optimizer, hb::floats(param, param_dtype), hb::floats(grad, grad_dtype), size, *host_step, profile};
    hb::update_32bit(call, {state1, state2}, trust != 0, update_norm);
  });
}

hb_status hb_optimizer_update_8bit_blockwise(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                             hb_dtype grad_dtype, uint8_t *state1, uint8_t *state2, const float *code1, const float *code2,
                                             float *absmax1, float *absmax2, uint64_t size, uint64_t block_size, const hb_step *host_step,
                                             hb_profile profile) {
  return hb::guarded([=] {
    const hb::Call call = {queue, optimizer, hb::floats(param, param_dtype), hb::floats(grad, grad_dtype), size, *host_step, profile};
    hb::update_8bit(call, {state1, state2, code1, code2, absmax1, absmax2, block_size});
  });
}
}
