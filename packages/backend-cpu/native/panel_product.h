// x · Wᵀ over packed panels (packed_4bit.h), once for every instruction set and accuracy.
//
// An Arithmetic says what a register is, how codes become weights and weights become sums; see arithmetic_avx512.h. Two ways to multiply a piece of a panel:
//
// Fused: codes become weights in registers and meet all rows of a group of x. Registers: sums rows · vectors · chains, codes and weights `vectors` each,
// one broadcast value, the table.
//
// Tiled, for many rows of x where registers are too few for that: a piece becomes weights in the first cache once, and groups pass by.
// Which of the two an Arithmetic is made for it says itself.
//
// Either way a sum runs over one piece and is scaled by the absmax once, so chains are short, and totals stay in the first cache. Totals of a row of W do
// not depend on other rows, hence not on how panels are given to threads.
#pragma once
#include "float_array.h"
#include "panel_operands.h"

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

// Registers of a product: vectors of weights that all rows of x meet, and sums for each vector and row.
struct RegisterShape {
  int vectors, chains;
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

// What memory delivers while one line comes, and what a nearer cache does for the activations.
constexpr uint64_t prefetch_distance = 8192, activation_distance = 4096;

// Rows of a panel from `column` on, as many as `vectors` hold.
template <class Arithmetic, int rows, int vectors, int chains>
[[gnu::always_inline]] inline void multiply_piece(const Arithmetic &arithmetic, const Pieces &piece, const Group &x, uint64_t column, float *totals) {
  Sums<Arithmetic, rows, vectors, chains> sums;
  sums.clear(arithmetic, x);
  const uint8_t *codes = piece.codes() + column * 4;
  const char *values = x.values;
  for (uint64_t group = piece.groups(); group > 0; group--, codes += panel_line, values += rows * Arithmetic::group_bytes) {
    typename Arithmetic::Codes code[vectors];
    unrolled<vectors>([&](auto v) { code[v] = Arithmetic::load_codes(codes + v * Arithmetic::width * 4); });
    unrolled<vectors * Arithmetic::width / 16>([&](auto line) { __builtin_prefetch(codes + prefetch_distance + line * 64); });
    if constexpr (rows > 4)
      unrolled<rows * Arithmetic::group_bytes / 64>([&](auto line) { __builtin_prefetch(values + activation_distance + line * 64); });
    unrolled<Arithmetic::steps>([&](auto step) {
      sums.add(values + step * rows * Arithmetic::unit_bytes, step % chains, [&](auto v) { return arithmetic.decode(code[v], step); });
    });
  }
  sums.flush(x, totals + column, [&](auto v) { return piece.template absmax<Arithmetic>(column + v * Arithmetic::width); });
}

template <class Arithmetic, int rows>
[[gnu::noinline]] void multiply_fused(const Arithmetic &given, Pieces piece, Group x, float *totals) {
  constexpr RegisterShape shape = Arithmetic::shape(rows);
  const Arithmetic arithmetic = given;
  do {
    for (uint64_t column = 0; column < panel_rows; column += shape.vectors * Arithmetic::width)
      multiply_piece<Arithmetic, rows, shape.vectors, shape.chains>(arithmetic, piece, x, column, totals);
    x = x.template after<Arithmetic>(1, piece.groups(), rows);
  } while (piece.advance());
}

// ── Tiled ──

// The weights of a piece, and their scales.
template <class Arithmetic>
struct Tile {
  static constexpr int vectors = panel_rows / Arithmetic::width;

  alignas(64) typename Arithmetic::Weight weight[largest_piece / column_group * Arithmetic::steps][vectors];
  alignas(64) float scale[panel_rows];
  uint64_t steps;

  void decode(const Arithmetic &arithmetic, const Pieces &piece) {
    const uint8_t *codes = piece.codes();
    steps = piece.groups() * Arithmetic::steps;
    for (uint64_t at = 0; at < steps; at += Arithmetic::steps, codes += panel_line)
      for (int v = 0; v < vectors; v++) {
        const typename Arithmetic::Codes code = Arithmetic::load_codes(codes + v * Arithmetic::width * 4);
        unrolled<Arithmetic::steps>([&](auto step) { weight[at + step][v] = arithmetic.decode(code, step); });
      }
    for (int v = 0; v < vectors; v++) Arithmetic::store_vector(scale + v * Arithmetic::width, piece.template absmax<Arithmetic>(v * Arithmetic::width));
  }
};

template <class Arithmetic, int rows>
[[gnu::noinline]] void multiply_tile(const Arithmetic &arithmetic, const Tile<Arithmetic> &tile, const Group &x, float *totals) {
  constexpr int vectors = Arithmetic::shape(rows).vectors;
  for (int first = 0; first < Tile<Arithmetic>::vectors; first += vectors) {
    Sums<Arithmetic, rows, vectors, 1> sums;
    sums.clear(arithmetic, x);
    const char *values = x.values;
    for (uint64_t step = 0; step < tile.steps; step++, values += rows * Arithmetic::unit_bytes)
      sums.add(values, 0, [&](auto v) { return tile.weight[step][first + v]; });
    sums.flush(x, totals + first * Arithmetic::width, [&](auto v) { return Arithmetic::load_vector(tile.scale + (first + v) * Arithmetic::width); });
  }
}

// ── The whole product ──

// body(Index<count>) for a count that is known only now.
template <int most, class Body>
void with_count(uint64_t count, const Body &body) {
  if (count == most) return body(Index<most>{});
  if constexpr (most > 1) with_count<most - 1>(count, body);
}

struct Result {
  Floats bias;
  uint64_t n;
  MutableFloats out;
};

// What the panels of a range share.
template <class Arithmetic>
class Product {
 public:
  Product(const ActivationLayout &layout, const void *prepared, const PackedWeight &weight, const float *code, const Result &result)
      : layout_(layout), prepared_(static_cast<const char *>(prepared)), weight_(weight), result_(result), arithmetic_(code, prepared),
        groups_(layout.m, Arithmetic::most_rows), boundaries_(weight.layout) {}

  void run(uint64_t panel) {
    boundaries_.enter(panel);
    const Pieces pieces(weight_.layout, boundaries_, weight_.packed + panel * weight_.layout.panel_bytes());
    for (uint64_t group = 0; group < groups_.count; group += together) {
      const uint64_t end = groups_.count - group < together ? groups_.count : group + together;
      const uint64_t first = groups_.first(group), rows = groups_.first(end) - first;
      std::memset(totals_, 0, rows * sizeof totals_[0]);
      if constexpr (Arithmetic::tiled) tiled(pieces, group, end);
      else fused(pieces, group);
      for (uint64_t row = 0; row < rows; row++) store(totals_[row], first + row, panel * panel_rows);
    }
  }

 private:
  // Groups between two times that a panel is decoded.
  static constexpr uint64_t together = Arithmetic::tiled ? 96 / Arithmetic::most_rows : 1;

  Group group_at(uint64_t group) const { return Group::at<Arithmetic>(layout_, prepared_, groups_.first(group)); }

  void fused(const Pieces &pieces, uint64_t group) {
    with_count<Arithmetic::most_rows>(groups_.size(group),
                                      [&](auto rows) { multiply_fused<Arithmetic, rows>(arithmetic_, pieces, group_at(group), totals_[0]); });
  }

  void tiled(Pieces piece, uint64_t begin, uint64_t end) {
    Tile<Arithmetic> tile;
    uint64_t index = 0;
    do {
      tile.decode(arithmetic_, piece);
      for (uint64_t group = begin; group < end; group++) {
        float *const totals = totals_[groups_.first(group) - groups_.first(begin)];
        with_count<Arithmetic::most_rows>(groups_.size(group), [&](auto rows) {
          multiply_tile<Arithmetic, rows>(arithmetic_, tile, group_at(group).template after<Arithmetic>(index, piece.groups(), rows), totals);
        });
      }
      index++;
    } while (piece.advance());
  }

  // total · factor + bias for the rows of a panel.
  void store(const float *totals, uint64_t row, uint64_t first_column) const {
    alignas(64) float bias[panel_rows] = {}, values[panel_rows];
    const uint64_t count = result_.n - first_column < panel_rows ? result_.n - first_column : panel_rows;
    const float factor = reinterpret_cast<const float *>(prepared_ + layout_.factors_at())[row];
    if (result_.bias.data) widen(result_.bias, first_column, count, bias);
    for (uint64_t i = 0; i < panel_rows; i++) values[i] = totals[i] * factor + bias[i];
    Arithmetic::store(values, count, result_.out, row * result_.n + first_column);
  }

  const ActivationLayout layout_;
  const char *const prepared_;
  const PackedWeight weight_;
  const Result result_;
  const Arithmetic arithmetic_;
  const RowGroups groups_;
  Boundaries boundaries_;
  alignas(64) float totals_[together * Arithmetic::most_rows][panel_rows];
};

}  // namespace
}  // namespace hb
