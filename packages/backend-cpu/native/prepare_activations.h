// Preparing the left operand of packed products (activations.h), once for every instruction set: vectors of the compiler, no intrinsics.
#pragma once
#include "activations.h"
#include "float_array.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// Values of a row as kernels want them: `column` of each place in a group of 8, and how many make a unit.
template <class Element, int c0, int c1, int c2, int c3, int c4, int c5, int c6, int c7, int unit>
struct ValueOrder {
  using Value = Element;
  static constexpr int per_unit = unit;
  template <class From>
  static void group(const From *from, Value *to) {
    const From ordered[column_group] = {from[c0], from[c1], from[c2], from[c3], from[c4], from[c5], from[c6], from[c7]};
    for (uint64_t i = 0; i < column_group; i++) to[i] = static_cast<Value>(ordered[i]);
  }
};

// Where one row of a group goes: unit after unit, `rows` units apart.
template <class Order>
struct RowWriter {
  typename Order::Value *at;
  uint64_t rows;

  // A multiple of 8 values.
  template <class From>
  void write(const From *from, uint64_t count) {
    typename Order::Value ordered[largest_piece];
    for (uint64_t i = 0; i < count; i += column_group) Order::group(from + i, ordered + i);
    for (uint64_t i = 0; i < count; i += Order::per_unit, at += rows * Order::per_unit)
      std::memcpy(at, ordered + i, sizeof(typename Order::Value) * Order::per_unit);
  }
};

// ── Exact ──

// Sums of unscaled table entries times x would overflow, or lose bits, at the ends of the range. A power of two brings such a row to the middle.
inline float middle_factor(uint32_t largest_bits) {
  constexpr uint32_t low = (127 - 60) << 23, high = (127 + 100) << 23, infinity = 255u << 23;
  if (largest_bits == 0 || largest_bits >= infinity) return 1;
  return largest_bits < low ? 0x1p80f : largest_bits > high ? 0x1p-80f : 1;
}

inline uint32_t largest_magnitude(const float *values, uint64_t count) {
  uint32_t largest = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t bits = bits_of(values[i]) & 0x7fffffff;
    largest = largest > bits ? largest : bits;
  }
  return largest;
}

template <class Order>
void prepare_exact_row(Floats x, uint64_t begin, uint64_t k, RowWriter<Order> to, float *factor) {
  float buffer[piece_size];
  uint32_t largest = 0;
  for_each_piece(begin, begin + k, [&](uint64_t at, uint64_t count) {
    const uint32_t found = largest_magnitude(widened(x, at, count, buffer), count);
    largest = largest > found ? largest : found;
  });
  const float to_middle = middle_factor(largest);
  *factor = 1 / to_middle;
  for (uint64_t at = 0; at < k; at += largest_piece) {
    const uint64_t count = k - at < largest_piece ? k - at : largest_piece;
    widen(x, begin + at, count, buffer);
    if (to_middle != 1)
      for (uint64_t i = 0; i < count; i++) buffer[i] *= to_middle;
    to.write(buffer, count);
  }
}

// ── Integers ──

// What makes the integers of an accuracy.
struct IntegerRange {
  // Entries of the table: the largest one is first … last.
  int first_entry, last_entry, entry_step;
  // Of a value, and of the sum of the magnitudes of a piece.
  float largest_value, largest_sum;
  // Of a product, relative to the sum of the magnitudes of its terms.
  float tolerance;
};
constexpr IntegerRange fast_range{8192, 12288, 2, 32767, (0x1p31f - 1) / 12288 - 64, 0x1p-13f};
constexpr IntegerRange turbo_range{96, 127, 1, 127, 0x1p20f, 0x1p-6f};

// The last one is remembered: all weights of a model share their table, and the search takes longer than preparing a row.
inline const IntegerCode &integer_code(const float *code, hb_accuracy accuracy, const IntegerRange &range) {
  struct Known {
    float code[16];
    hb_accuracy accuracy;
    IntegerCode made;
  };
  thread_local Known known{};
  if (known.accuracy != accuracy || std::memcmp(known.code, code, sizeof known.code) != 0) {
    known.made = make_integer_code(code, range.first_entry, range.last_entry, range.entry_step, range.tolerance);
    std::memcpy(known.code, code, sizeof known.code);
    known.accuracy = accuracy;
  }
  return known.made;
}

using Lanes = float __attribute__((vector_size(32)));
using IntegerLanes = int32_t __attribute__((vector_size(32)));
constexpr int lanes = 8;

[[gnu::always_inline]] inline IntegerLanes bits_of(Lanes values) { return reinterpret_cast<IntegerLanes>(values); }
[[gnu::always_inline]] inline Lanes from_bits(IntegerLanes bits) { return reinterpret_cast<Lanes>(bits); }

[[gnu::always_inline]] inline Lanes round_half_even(const Lanes &v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

// Halves meet until one lane is left.
template <class Vector, class Meet>
[[gnu::always_inline]] inline auto reduced(Vector v, const Meet &meet) {
  v = meet(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = meet(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  v = meet(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
  return v[0];
}
template <class Vector>
[[gnu::always_inline]] inline auto sum_of(const Vector &v) {
  return reduced(v, [](const auto &a, const auto &b) { return a + b; });
}
[[gnu::always_inline]] inline int32_t largest_of(const IntegerLanes &v) {
  return reduced(v, [](const auto &a, const auto &b) { return a > b ? a : b; });
}

// A piece of a row in integers: value ≈ q · scale.
struct IntegerPiece {
  alignas(64) int32_t q[largest_piece];
  float scale;
  int32_t sum;
  // Sum of the squared errors, and of the magnitudes without the largest one.
  double squares, magnitude;

  // `values` has zeros after the piece. False when the piece is out of range.
  bool quantize(const float *values, const IntegerRange &range) {
    Lanes v[parts], total_lanes = {};
    IntegerLanes largest_lanes = {};
    for (int part = 0; part < parts; part++) {
      std::memcpy(&v[part], values + part * lanes, sizeof v[part]);
      const IntegerLanes magnitudes = bits_of(v[part]) & 0x7fffffff;
      largest_lanes = largest_lanes > magnitudes ? largest_lanes : magnitudes;
      total_lanes += from_bits(magnitudes);
    }
    const int32_t largest_bits = largest_of(largest_lanes);
    constexpr int32_t low = (127 - 80) << 23, high = (127 + 100) << 23;
    if (largest_bits != 0 && (largest_bits < low || largest_bits > high)) return false;
    const float largest = hb::from_bits(static_cast<uint32_t>(largest_bits)), total = sum_of(total_lanes);
    const float room = largest > 0 ? largest * range.largest_sum / total : range.largest_value;
    // The largest value becomes an integer: a constant is exact.
    const float peak = static_cast<float>(static_cast<int32_t>(room < range.largest_value ? room : range.largest_value));
    scale = largest / peak;
    // A little of the largest is for the rounding of f32 in here.
    magnitude = total - largest * (1 - 0x1p-8f);
    round(v, largest > 0 ? peak / largest : 0);
    return true;
  }

 private:
  static constexpr int parts = largest_piece / lanes;

  void round(const Lanes (&v)[parts], float factor) {
    Lanes square_lanes = {};
    IntegerLanes sum_lanes = {};
    for (int part = 0; part < parts; part++) {
      const Lanes scaled = v[part] * factor, rounded = round_half_even(scaled), error = scaled - rounded;
      const IntegerLanes integers = __builtin_convertvector(rounded, IntegerLanes);
      std::memcpy(q + part * lanes, &integers, sizeof integers);
      sum_lanes += integers;
      square_lanes += error * error;
    }
    sum = hb::sum_of(sum_lanes);
    squares = static_cast<double>(hb::sum_of(square_lanes)) * scale * scale;
  }
};

// Six deviations of the error of a sum whose weights know nothing of it must be within the tolerance.
inline bool suits(double squares, double magnitude, float tolerance) {
  const double allowed = static_cast<double>(tolerance) * magnitude;
  return 36 * squares <= allowed * allowed;
}

// Scales and sums go to every `rows`-th place. False when the row must be multiplied exactly.
template <class Order>
bool prepare_integer_row(Floats x, uint64_t begin, const ActivationLayout &layout, const IntegerRange &range, float unit, RowWriter<Order> to,
                         float *scales, int32_t *corrections) {
  alignas(64) float values[largest_piece] = {};
  IntegerPiece piece;
  double squares = 0, magnitude = 0;
  for (uint64_t i = 0; i < layout.pieces(); i++) {
    widen(x, begin + i * layout.piece, layout.piece, values);
    if (!piece.quantize(values, range)) return false;
    squares += piece.squares;
    magnitude += piece.magnitude;
    to.write(piece.q, layout.piece);
    scales[i * to.rows] = piece.scale * unit;
    if (corrections) corrections[i * to.rows] = piece.sum;
  }
  return suits(squares, magnitude, range.tolerance);
}

// ── Rows of x ──

// Prepares rows [begin, end) for kernels that multiply at most `most` rows at a time. The range with row 0 writes the table.
template <class Order>
bool prepare_rows(const ActivationLayout &layout, Floats x, const float *code, uint64_t most, uint64_t begin, uint64_t end, void *prepared) {
  char *const base = static_cast<char *>(prepared);
  const bool exact = layout.accuracy == HB_EXACT;
  const IntegerRange range = layout.accuracy == HB_TURBO ? turbo_range : fast_range;
  const IntegerCode integers = exact ? IntegerCode{} : integer_code(code, layout.accuracy, range);
  if (!exact && !integers.suits) return false;
  if (begin == 0) std::memcpy(base, &integers, sizeof integers);
  const RowGroups groups(layout.m, most);
  auto *const values = reinterpret_cast<typename Order::Value *>(base + ActivationLayout::values_at);
  float *const factors = reinterpret_cast<float *>(base + layout.factors_at());
  for (uint64_t row = begin; row < end; row++) {
    const uint64_t group = groups.of(row), first = groups.first(group), place = row - first;
    const RowWriter<Order> to{values + first * layout.k + place * Order::per_unit, groups.size(group)};
    factors[row] = 1;
    if constexpr (sizeof(typename Order::Value) == sizeof(float)) {
      prepare_exact_row(x, row * layout.k, layout.k, to, factors + row);
    } else {
      float *const scales = reinterpret_cast<float *>(base + layout.scales_at()) + first * layout.pieces() + place;
      int32_t *const corrections = reinterpret_cast<int32_t *>(base + layout.corrections_at()) + first * layout.pieces() + place;
      if (!prepare_integer_row(x, row * layout.k, layout, range, integers.unit, to, scales, layout.accuracy == HB_TURBO ? corrections : nullptr))
        return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace hb
