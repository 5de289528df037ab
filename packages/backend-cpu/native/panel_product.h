// x · Wᵀ over packed panels (packed_4bit.h), once for every instruction set and accuracy.
//
// An Arithmetic says what a register is and how codes become weights and weights become sums; see arithmetic_avx512.h. Two ways to multiply:
//
// Fused, for few rows of x: codes become weights in registers and are used for all rows of a group. Registers: sums rows · vectors · chains, codes
// vectors, weights vectors, one broadcast value, the table. Up to four rows take the whole width of a panel, more take it in halves.
//
// Tiled, for many: as many pieces as fit the first cache become weights once, and then groups of six rows pass by.
//
// Either way a sum runs over one piece and is scaled by the absmax once, so chains are short; totals stay in the first cache. Totals of a row of W do not
// depend on other rows, hence not on how panels are given to threads.
#pragma once
#include "activations.h"
#include "float_array.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// ── Loops that are gone when the compiler assigns registers ──

template <int value>
struct Index {
  constexpr operator int() const { return value; }
};
template <int count, class Body>
[[gnu::always_inline]] inline void unrolled(const Body &body) {
  if constexpr (count > 0) {
    unrolled<count - 1>(body);
    body(Index<count - 1>{});
  }
}

// ── Operands ──

struct Weight {
  const uint8_t *packed;
  PackedLayout layout;
};

// A group of rows of prepared activations.
struct Group {
  const char *values;
  const float *scales;
  const int32_t *corrections;

  template <class Arithmetic>
  static Group at(const ActivationLayout &layout, const char *prepared, uint64_t first_row) {
    Group group{prepared + ActivationLayout::values_at + first_row * layout.k / column_group * Arithmetic::group_bytes, nullptr, nullptr};
    if constexpr (Arithmetic::scaled) group.scales = reinterpret_cast<const float *>(prepared + layout.scales_at()) + first_row * layout.pieces();
    if constexpr (Arithmetic::corrected)
      group.corrections = reinterpret_cast<const int32_t *>(prepared + layout.corrections_at()) + first_row * layout.pieces();
    return group;
  }
  template <class Arithmetic>
  void next_piece(uint64_t rows) {
    if constexpr (Arithmetic::scaled) scales += rows;
    if constexpr (Arithmetic::corrected) corrections += rows;
  }
};

// Registers of a fused product that `rows` rows of x share: of codes, and of sums for each of those and each row.
struct FusedShape {
  int vectors, chains;
};

// Rows of x that are multiplied together.
template <class Arithmetic>
uint64_t most_rows([[maybe_unused]] uint64_t m) {
  return Arithmetic::most_rows;
}

// Which rows of a panel are behind their own block boundary, for each piece of a block: they take the absmax of the next block.
class Boundaries {
 public:
  explicit Boundaries(const PackedLayout &layout) : layout_(layout), piece_(layout.piece()) { std::memset(behind_, 0, sizeof behind_); }

  void enter(uint64_t panel) {
    if (!layout_.straddles()) return;
    const uint64_t pieces = layout_.block_size / piece_, step = layout_.k % layout_.block_size;
    std::memset(behind_, 0, pieces * sizeof behind_[0]);
    uint64_t offset = panel * panel_rows % layout_.block_size * step % layout_.block_size;
    for (uint64_t row = 0; row < panel_rows; row++) {
      if (offset > 0) behind_[(layout_.block_size - offset) / piece_] |= uint64_t{1} << row;
      offset += step;
      if (offset >= layout_.block_size) offset -= layout_.block_size;
    }
    for (uint64_t i = 1; i < pieces; i++) behind_[i] |= behind_[i - 1];
  }
  uint64_t behind(uint64_t piece_of_block) const { return behind_[piece_of_block]; }

 private:
  static constexpr uint64_t most_pieces = 4096 / column_group;
  const PackedLayout layout_;
  const uint64_t piece_;
  uint64_t behind_[most_pieces];
};

// Walks a panel piece by piece.
class Pieces {
 public:
  Pieces(const PackedLayout &layout, const Boundaries &boundaries, const uint8_t *panel)
      : boundaries_(boundaries), at_(panel), groups_left_(layout.k / column_group), groups_of_block_(layout.block_size / column_group),
        groups_(layout.piece() / column_group) {
    enter_block();
  }

  uint64_t groups() const { return groups_; }
  const uint8_t *codes() const { return at_; }
  const float *absmax() const { return absmax_; }
  const float *next_absmax() const { return next_absmax_; }
  uint64_t behind() const { return boundaries_.behind(index_); }
  // False after the last piece.
  bool advance() {
    at_ += groups_ * panel_line;
    groups_left_ -= groups_;
    index_++;
    if (groups_left_ == 0) return false;
    if (at_ == reinterpret_cast<const uint8_t *>(next_absmax_)) enter_block();
    return true;
  }

 private:
  void enter_block() {
    absmax_ = reinterpret_cast<const float *>(at_);
    at_ += panel_line;
    const uint64_t groups = groups_left_ < groups_of_block_ ? groups_left_ : groups_of_block_;
    next_absmax_ = reinterpret_cast<const float *>(at_ + groups * panel_line);
    index_ = 0;
  }

  const Boundaries &boundaries_;
  const uint8_t *at_;
  const float *absmax_, *next_absmax_;
  uint64_t groups_left_, groups_of_block_, groups_, index_ = 0;
};

// ── Sums of a piece ──

template <class Arithmetic, int rows, int vectors, int chains>
struct Sums {
  typename Arithmetic::Sum sum[rows * vectors * chains];

  [[gnu::always_inline]] void clear(const Arithmetic &arithmetic, const Group &x) {
    unrolled<rows>([&](auto row) {
      unrolled<vectors>([&](auto v) {
        unrolled<chains>([&](auto chain) {
          sum[(row * vectors + v) * chains + chain] = chain == 0 ? arithmetic.start(x.corrections, row) : Arithmetic::zero();
        });
      });
    });
  }

  template <class WeightOf>
  [[gnu::always_inline]] void add(const char *values, int chain, const WeightOf &weight_of) {
    typename Arithmetic::Weight weight[vectors];
    unrolled<vectors>([&](auto v) { weight[v] = weight_of(v); });
    unrolled<rows>([&](auto row) {
      const auto value = Arithmetic::broadcast(values + row * Arithmetic::unit_bytes);
      unrolled<vectors>([&](auto v) {
        auto &to = sum[(row * vectors + v) * chains + chain];
        to = Arithmetic::multiply_add(to, weight[v], value);
      });
    });
  }

  // Totals are 64 floats apart from row to row.
  template <class ScaleOf>
  [[gnu::always_inline]] void flush(const Group &x, float *totals, const ScaleOf &scale_of) {
    typename Arithmetic::Vector scale[vectors];
    unrolled<vectors>([&](auto v) { scale[v] = scale_of(v); });
    unrolled<rows>([&](auto row) {
      const auto row_scale = Arithmetic::row_scale(x.scales, row);
      unrolled<vectors>([&](auto v) {
        auto all = sum[(row * vectors + v) * chains];
        unrolled<chains - 1>([&](auto chain) { all = Arithmetic::join(all, sum[(row * vectors + v) * chains + chain + 1]); });
        Arithmetic::accumulate(totals + row * panel_rows + v * Arithmetic::width, all, row_scale, scale[v]);
      });
    });
  }
};

// ── Fused ──

// What memory delivers while one line comes.
constexpr uint64_t prefetch_distance = 8192;

// Rows of a panel from `column` on, as many as `vectors` hold.
template <class Arithmetic, int rows, int vectors, int chains>
[[gnu::noinline]] void multiply_fused(const Arithmetic &given, Pieces piece, Group x, uint64_t column, float *totals) {
  const Arithmetic arithmetic = given;
  totals += column;
  Sums<Arithmetic, rows, vectors, chains> sums;
  do {
    sums.clear(arithmetic, x);
    const uint8_t *codes = piece.codes() + column * 4;
    for (uint64_t group = piece.groups(); group > 0; group--, codes += panel_line, x.values += rows * Arithmetic::group_bytes) {
      typename Arithmetic::Codes code[vectors];
      unrolled<vectors>([&](auto v) { code[v] = Arithmetic::load_codes(codes + v * Arithmetic::width * 4); });
      unrolled<vectors * Arithmetic::width / 16>([&](auto line) { __builtin_prefetch(codes + prefetch_distance + line * 64); });
      unrolled<Arithmetic::steps>([&](auto step) {
        sums.add(x.values + step * rows * Arithmetic::unit_bytes, step % chains, [&](auto v) { return arithmetic.decode(code[v], step); });
      });
    }
    sums.flush(x, totals, [&](auto v) {
      return Arithmetic::absmax(piece.absmax() + column + v * Arithmetic::width, piece.next_absmax() + column + v * Arithmetic::width,
                                piece.behind() >> (column + v * Arithmetic::width));
    });
    x.template next_piece<Arithmetic>(rows);
  } while (piece.advance());
}

template <class Arithmetic, int rows>
void multiply_group(const Arithmetic &arithmetic, const Pieces &pieces, const Group &x, float *totals) {
  constexpr FusedShape shape = Arithmetic::fused_shape(rows);
  for (uint64_t column = 0; column < panel_rows; column += shape.vectors * Arithmetic::width)
    multiply_fused<Arithmetic, rows, shape.vectors, shape.chains>(arithmetic, pieces, x, column, totals);
}

// Calls with a number that is known only now.
template <class Arithmetic, int most>
void multiply_group_of(uint64_t rows, const Arithmetic &arithmetic, const Pieces &pieces, const Group &x, float *totals) {
  if (rows == most) return multiply_group<Arithmetic, most>(arithmetic, pieces, x, totals);
  if constexpr (most > 1) multiply_group_of<Arithmetic, most - 1>(rows, arithmetic, pieces, x, totals);
}

// ── The whole product ──

struct Result {
  Floats bias;
  uint64_t n;
  MutableFloats out;
};

// total · factor + bias for the rows of a panel.
template <class Arithmetic>
void store_row(const float *totals, float factor, const Result &to, uint64_t row, uint64_t first_column) {
  alignas(64) float bias[panel_rows] = {}, values[panel_rows];
  const uint64_t count = to.n - first_column < panel_rows ? to.n - first_column : panel_rows;
  if (to.bias.data) widen(to.bias, first_column, count, bias);
  for (uint64_t i = 0; i < panel_rows; i++) values[i] = totals[i] * factor + bias[i];
  Arithmetic::store(values, count, to.out, row * to.n + first_column);
}

template <class Arithmetic>
void multiply_panels(const ActivationLayout &x, const void *prepared, const Weight &weight, const float *code, const Result &to, uint64_t begin,
                     uint64_t end) {
  const Arithmetic arithmetic(code, prepared);
  const char *const base = static_cast<const char *>(prepared);
  const float *const factors = reinterpret_cast<const float *>(base + x.factors_at());
  const RowGroups groups(x.m, most_rows<Arithmetic>(x.m));
  Boundaries boundaries(weight.layout);
  alignas(64) float totals[Arithmetic::most_rows * panel_rows];
  for (uint64_t panel = begin; panel < end; panel++) {
    boundaries.enter(panel);
    const Pieces pieces(weight.layout, boundaries, weight.packed + panel * weight.layout.panel_bytes());
    for (uint64_t group = 0; group < groups.count; group++) {
      const uint64_t first = groups.first(group), rows = groups.size(group);
      std::memset(totals, 0, rows * panel_rows * sizeof(float));
      multiply_group_of<Arithmetic, Arithmetic::most_rows>(rows, arithmetic, pieces, Group::at<Arithmetic>(x, base, first), totals);
      for (uint64_t row = 0; row < rows; row++) store_row<Arithmetic>(totals + row * panel_rows, factors[first + row], to, first + row, panel * panel_rows);
    }
  }
}

}  // namespace
}  // namespace hb
