// Estimates of work, in nanoseconds on one core.
//
// They decide two things, neither of which changes a result: whether an operation is small enough for the calling thread, and how far a loop
// is cut. The figures were measured on one busy machine and rounded up; being wrong by two costs microseconds.
#pragma once
#include "dispatch.h"

namespace hb {

// Per element, or per multiply-add of a product. An operation may have a vector kernel or fall to scalar, which is up to a hundred times
// slower, so that one speed for all would let long operations pass for small.
struct Cost {
  double scalar, vector;
};

namespace cost {
constexpr double copy_byte = 0.08;
constexpr double widen = 0.5;
constexpr double outlier = 0.5;
constexpr Cost encode_4bit = {20, 0.3};
constexpr Cost decode_4bit = {1.2, 0.15};
constexpr Cost encode_8bit = {40, 0.6};
constexpr Cost decode_8bit = {0.5, 0.15};
constexpr Cost compare = {1, 0.15};
constexpr Cost multiply_add = {0.4, 0.025};
// Reading W counts: mostly x has one row.
constexpr Cost transposed_multiply_add = {1, 0.12};
// Of packed 4-bit products, which are vector kernels: per multiply-add, per weight, per activation.
constexpr double packed_multiply_add = 0.0085;
constexpr double packed_weight = 0.006;
constexpr double prepare_activation = 1;
constexpr Cost int8_multiply_add = {0.25, 0.004};
constexpr double pack_int8 = 0.6;
constexpr double pack_4bit = 0.2;
constexpr Cost int8_row = {1.2, 0.15};
constexpr Cost scale = {8, 0.25};
constexpr Cost step_32bit = {8, 1};
constexpr Cost step_8bit = {120, 2.5};
}  // namespace cost

// The cost of the kernel that runs.
template <class Entry>
double cost_of(const Cost &cost, Entry Kernels::*entry) {
  return kernels().*entry == scalar_kernels.*entry ? cost.scalar : cost.vector;
}

// `each` for a · b · c elements; 64-bit products of three sizes may overflow, their doubles do not.
inline double total(double each, uint64_t a, uint64_t b = 1, uint64_t c = 1) {
  return each * static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// An operation up to this size may run on the calling thread: with what TypeScript allows per turn of the event loop it stays below 5 ms. Going to
// another thread and back costs an operation of a millisecond a tenth of its time.
constexpr double inline_limit() { return 900e3; }

// A range of a loop is at least this long: what it costs to wake a thread for it.
constexpr double smallest_range() { return 20e3; }

}  // namespace hb
