// The left operand of a packed product (packed_4bit.h): prepared once per call, read by all threads.
//
// Rows of x are split evenly into groups of a few, which a kernel multiplies together. A group holds unit after unit of k: the values that one
// register broadcasts, for each of its rows. Inside 8 columns the values stand in the order in which a kernel decodes weights.
//
// Accuracy exact has f32. The others have integers and, for each piece of k, the f32 scale that makes them numbers again. Sums of a piece are
// int32 and must not overflow whatever the weights are. How large they get depends on the sum of the magnitudes and not on the largest one, so every
// piece takes the largest factor that its own sum allows: its largest value becomes 32767 beside smaller ones, 9000 in normal noise, 2700 in a constant.
#pragma once
#include "integer_code.h"
#include "kernels.h"
#include "packed_4bit.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// `m` rows in groups of at most `most`, as even as can be.
struct RowGroups {
  uint64_t m, count;
  RowGroups(uint64_t rows, uint64_t most) : m(rows), count((rows + most - 1) / most) {}
  uint64_t first(uint64_t group) const { return m * group / count; }
  uint64_t size(uint64_t group) const { return first(group + 1) - first(group); }
  uint64_t of(uint64_t row) const { return ((row + 1) * count - 1) / m; }
};

// Where things are: the integer table, values, a factor per row, and unless exact per piece and row a scale and a correction.
struct ActivationLayout {
  hb_accuracy accuracy;
  uint64_t m, k, piece;

  static constexpr uint64_t values_at = 128;
  static_assert(sizeof(IntegerCode) <= values_at, "the table stands before the values");
  uint64_t pieces() const { return k / piece; }
  uint64_t value_bytes() const { return accuracy == HB_EXACT ? 4 : accuracy == HB_FAST ? 2 : 1; }
  uint64_t factors_at() const { return (values_at + m * k * value_bytes() + 63) / 64 * 64; }
  uint64_t scales_at() const { return factors_at() + m * 4; }
  uint64_t corrections_at() const { return scales_at() + m * pieces() * 4; }
  // Turbo has room for fast, which an instruction set without byte products takes instead.
  uint64_t bytes() const {
    if (accuracy == HB_EXACT) return scales_at();
    return accuracy == HB_FAST ? corrections_at() : ActivationLayout{HB_FAST, m, k, piece}.bytes() + m * pieces() * 4;
  }
};

}  // namespace
}  // namespace hb
