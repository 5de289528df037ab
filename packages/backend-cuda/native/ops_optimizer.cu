// hb_optimizer_update_32bit and hb_optimizer_update_8bit_blockwise, over states on the device or paged ones.
#include "grid.h"
#include "optimizer_32bit.cuh"
#include "optimizer_8bit.cuh"
#include "scratch.h"

namespace hb {
namespace {

// A thread block that prepares maps is worth several turns.
constexpr uint64_t kMostUpdateBlocks = 4096;

struct Call {
  hb_queue *queue;
  hb_optimizer optimizer;
  AnyFloats param, grad;
  uint64_t size;
  hb_step step;
  hb_profile profile;
};

AnyFloats from(const AnyFloats &x, uint64_t begin) {
  return {static_cast<char *>(x.data) + begin * (x.dtype == HB_FLOAT32 ? sizeof(float) : sizeof(uint16_t)), x.dtype};
}

template <class Rule>
OptimizerStep<KernelRule<Rule>> step_of(const Call &call, const Rule &rule, bool clears_non_finite) {
  return {KernelRule<Rule>(rule), motion_of(rule, call.step, call.profile, 1), Gradient(call.step), clears_non_finite};
}

// The rows of a rule's states: first moment, slow moment, second moment. Those that it has not stand for the first.
template <class Rule>
StateRows rows_of(const Call &call, void *state1, void *state2, uint32_t width) {
  char *const first = static_cast<char *>(state1), *const second = static_cast<char *>(state2);
  const bool is_paged = call.queue->is_paged(first);
  StateRows rows = {{{first, width, is_paged}, {first + call.size * width, width, is_paged}, {}}, Rule::stacked ? 2 : 1, call.size};
  if (Rule::two_states) rows.rows[rows.count++] = {second, width, call.queue->is_paged(second)};
  return rows;
}

bool any_paged(const StateRows &rows) {
  for (int i = 0; i < rows.count; i++)
    if (rows.rows[i].is_paged) return true;
  return false;
}

// Calls compute(piece) with all elements, or with paged ones piece by piece, whole units each. `keeps`: the states are written to.
template <class Compute>
void for_each_piece(const Call &call, const StateRows &rows, uint64_t unit, bool keeps, const Compute &compute) {
  if (!any_paged(rows)) return compute(StatePiece{0, rows.elements, {rows.rows[0].memory, rows.rows[1].memory, rows.rows[2].memory}});
  Paging &paging = call.queue->paging();
  const uint64_t piece = Paging::piece_elements(rows, unit);
  const Scratch places(*call.queue, Paging::buffer_bytes(rows, piece));
  try {
    paging.run(rows, piece, places.as<char>(), keeps, compute);
  } catch (...) {
    // Before the places go.
    paging.settle();
    throw;
  }
}

template <class Rule>
char *slow_row(const StatePiece &piece) {
  return piece.rows[Rule::stacked ? 1 : 0];
}
template <class Rule>
char *second_row(const StatePiece &piece) {
  return piece.rows[Rule::two_states ? (Rule::stacked ? 2 : 1) : 0];
}

// ── 32-bit states ──

// Vectors of every dtype begin at a multiple.
constexpr uint64_t kUnit32 = 8;

template <class Rule>
Update32<KernelRule<Rule>> update_of(const Call &call, const Rule &rule, const StatePiece &piece) {
  const auto floats = [](char *row) { return reinterpret_cast<float *>(row); };
  return {step_of(call, rule, false),      from(call.param, piece.begin),      from(call.grad, piece.begin), floats(piece.rows[0]),
          floats(slow_row<Rule>(piece)), floats(second_row<Rule>(piece)), piece.count};
}

// trust: on the device; null: 1.
template <class Rule>
void move(const Call &call, const Rule &rule, const StateRows &rows, const float *trust, cudaStream_t stream) {
  for_each_piece(call, rows, kUnit32, true, [&](const StatePiece &piece) {
    const uint32_t blocks = thread_blocks(ceil_div(piece.count, uint64_t{kPerThread32} * kOptimizerThreads));
    launch(optimizer_32bit<KernelRule<Rule>>, blocks, kOptimizerThreads, stream, update_of(call, rule, piece), trust);
  });
}

template <class Rule>
void move_by_norms(const Call &call, const Rule &rule, const StateRows &rows, bool applies_trust, float *update_norm, cudaStream_t stream) {
  const uint64_t segments = ceil_div(call.size, kNormSegment);
  const Scratch scratch(*call.queue, segments * sizeof(Squares) + sizeof(float));
  Squares *const partial = scratch.as<Squares>();
  float *const trust = reinterpret_cast<float *>(partial + segments);
  const double factor = norm_factor(call.optimizer, call.step, call.profile);
  for_each_piece(call, rows, kNormSegment, false, [&](const StatePiece &piece) {
    const uint64_t count = ceil_div(piece.count, kNormSegment);
    launch(measure_norms<KernelRule<Rule>>, thread_blocks(count), kOptimizerThreads, stream, update_of(call, rule, piece), factor,
           partial + piece.begin / kNormSegment, count);
  });
  // Rules with one state add eps to the bound.
  const TrustRule trust_rule = {call.step.max_unorm, Rule::two_states ? 0 : call.step.eps, applies_trust};
  launch(decide_trust, 1, kOptimizerThreads, stream, partial, segments, trust_rule, update_norm, trust);
  move(call, rule, rows, trust, stream);
}

void update_32bit(const Call &call, float *state1, float *state2, bool applies_trust, float *update_norm) {
  call.queue->push([&](cudaStream_t stream) {
    const bool measures = call.step.max_unorm > 0 && call.size > 0;
    if (update_norm && !measures) expect(cudaMemsetAsync(update_norm, 0, sizeof *update_norm, stream), "cudaMemsetAsync");
    if (call.size == 0) return;
    with_rule(call.optimizer, call.step, [&](const auto &rule) {
      const StateRows rows = rows_of<std::decay_t<decltype(rule)>>(call, state1, state2, sizeof(float));
      if (measures) move_by_norms(call, rule, rows, applies_trust, update_norm, stream);
      else move(call, rule, rows, nullptr, stream);
    });
  });
}

// ── 8-bit states ──

struct Blocks8 {
  const float *code1, *code2;
  float *absmax1, *absmax2;
  uint64_t size;
};

bool is_grouped(uint64_t block_size) {
  return block_size >= kPerThread && block_size <= kLargestStateBlock && (block_size & (block_size - 1)) == 0;
}

template <class Rule>
Update8<KernelRule<Rule>> update_of(const Call &call, const Rule &rule, const Blocks8 &blocks, const StatePiece &piece) {
  const uint64_t begun = piece.begin / blocks.size;
  const auto coded = [&](char *row, float *absmax, const float *map) {
    return CodedState{reinterpret_cast<uint8_t *>(row), absmax + begun, map, {Encoder8(map, call.profile), call.profile}, is_aligned(row, sizeof(uint2))};
  };
  const CodedState first = coded(piece.rows[0], blocks.absmax1, blocks.code1);
  const CodedState slow = Rule::stacked ? coded(slow_row<Rule>(piece), blocks.absmax1 + ceil_div(call.size, blocks.size), blocks.code1) : first;
  const CodedState second = Rule::two_states ? coded(second_row<Rule>(piece), blocks.absmax2, blocks.code2) : first;
  const bool clears_non_finite = call.profile == HB_CUDA && Rule::two_states;
  return {step_of(call, rule, clears_non_finite), from(call.param, piece.begin), from(call.grad, piece.begin), first, slow, second, piece.count,
          BlockOf(blocks.size)};
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

void update_8bit(const Call &call, uint8_t *state1, uint8_t *state2, const Blocks8 &blocks) {
  // Blocks lie in one piece, and pieces begin where vectors may.
  const uint64_t unit = blocks.size % 16 == 0 ? blocks.size : blocks.size * 16;
  call.queue->push([&](cudaStream_t stream) {
    if (call.size == 0) return;
    with_rule(call.optimizer, call.step, [&](const auto &rule) {
      const StateRows rows = rows_of<std::decay_t<decltype(rule)>>(call, state1, state2, sizeof(uint8_t));
      for_each_piece(call, rows, unit, true,
                     [&](const StatePiece &piece) { launch_8bit(update_of(call, rule, blocks, piece), blocks.size, stream); });
    });
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
    hb::update_32bit(call, state1, state2, trust != 0, update_norm);
  });
}

hb_status hb_optimizer_update_8bit_blockwise(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                             hb_dtype grad_dtype, uint8_t *state1, uint8_t *state2, const float *code1, const float *code2,
                                             float *absmax1, float *absmax2, uint64_t size, uint64_t block_size, const hb_step *host_step,
                                             hb_profile profile) {
  return hb::guarded([=] {
    const hb::Call call = {queue, optimizer, hb::floats(param, param_dtype), hb::floats(grad, grad_dtype), size, *host_step, profile};
    hb::update_8bit(call, state1, state2, {code1, code2, absmax1, absmax2, block_size});
  });
}
}
