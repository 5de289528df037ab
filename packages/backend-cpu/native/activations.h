// The left operand of a packed product (packed_4bit.h), prepared once per call and read by all threads.
//
// Rows of x are split evenly into groups of a few rows, which a kernel multiplies together. A group holds unit after unit of k: the values that
// go together to all lanes of a register, for each row of the group. Inside a group of 8 columns the values stand in the order in which kernels decode
// weights. Accuracy exact has f32 values. The others have integers, for each piece of k with the f32 scale that makes them numbers again.
//
// Sums of a piece are int32 and must not overflow for any weights. What can happen depends on the sum of the magnitudes and not on the largest
// one, so each piece uses the largest factor that its own sum allows: 30 000 for a piece with an outlier, 10 000 for normal noise, 2 700 for a constant.
#pragma once
#include "float_array.h"
#include "integer_code.h"
#include "packed_4bit.h"

namespace hb {
namespace {

// `m` rows in groups of at most `most`, as even as can be.
struct RowGroups {
  uint64_t m, count;
  RowGroups(uint64_t rows, uint64_t most) : m(rows), count((rows + most - 1) / most) {}
  uint64_t first(uint64_t group) const { return m * group / count; }
  uint64_t of(uint64_t row) const { return ((row + 1) * count - 1) / m; }
};

// Where things are: the integer table, values, scales, corrections.
struct ActivationLayout {
  hb_accuracy accuracy;
  uint64_t m, k, piece;

  static constexpr uint64_t values_at = 128;
  static_assert(sizeof(IntegerCode) <= values_at, "the table stands before the values");
  uint64_t value_bytes() const { return accuracy == HB_EXACT ? 4 : 2; }
  uint64_t pieces() const { return k / piece; }
  uint64_t scales_at() const { return (values_at + m * k * value_bytes() + 63) / 64 * 64; }
  uint64_t bytes() const { return scales_at() + (accuracy == HB_EXACT ? 0 : m * pieces() * 8); }
};
}  // namespace
}  // namespace hb
