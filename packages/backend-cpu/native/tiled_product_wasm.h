// x · Wᵀ over packed panels for more than a few rows of x: strips of 8 rows of a panel become weights once, as many columns as fit the first cache, and
// then groups of 4 rows of x pass by. Registers: sums 8, weights 2, one broadcast value.
//
// A Tile says how 4 rows of codes become registers of 4 weights, one row each, and what a sum is. A unit is what one dword of x is multiplied with: one
// column in f32, a pair of columns in int16.
#pragma once
#include "arithmetic_wasm.h"

namespace hb::wasm {
namespace {

struct ExactTile {
  using Arithmetic = Exact;
  using Order = ValueOrder<float, 0, 2, 4, 6, 1, 3, 5, 7, 1>;
  static constexpr bool scaled = false;
  static constexpr size_t units = 8;

  /// Registers `stride` apart, for all units of a group of columns.
  static void decode(const Exact &arithmetic, v128_t codes, v128_t *to, size_t stride) {
    for (int step = 0; step < 2; step++, to += 4 * stride) {
      const Table16::Values w = arithmetic.decode(codes, step);
      const v128_t a = wasm_i32x4_shuffle(w.v0, w.v1, 0, 4, 1, 5), b = wasm_i32x4_shuffle(w.v2, w.v3, 0, 4, 1, 5);
      const v128_t c = wasm_i32x4_shuffle(w.v0, w.v1, 2, 6, 3, 7), d = wasm_i32x4_shuffle(w.v2, w.v3, 2, 6, 3, 7);
      to[0] = wasm_i64x2_shuffle(a, b, 0, 2);
      to[stride] = wasm_i64x2_shuffle(a, b, 1, 3);
      to[2 * stride] = wasm_i64x2_shuffle(c, d, 0, 2);
      to[3 * stride] = wasm_i64x2_shuffle(c, d, 1, 3);
    }
  }
  static v128_t multiply_add(v128_t sum, v128_t weight, v128_t x) { return wasm::multiply_add(weight, x, sum); }
  static v128_t to_float(v128_t sum, const float *, int) { return sum; }
};

struct FastTile {
  using Arithmetic = Fast;
  using Order = ValueOrder<int16_t, 0, 2, 4, 6, 1, 3, 5, 7, 2>;
  static constexpr bool scaled = true;
  static constexpr size_t units = 4;

  static void decode(const Fast &arithmetic, v128_t codes, v128_t *to, size_t stride) {
    for (int step = 0; step < 2; step++, to += 2 * stride) {
      const Fast::Pair w = arithmetic.decode(codes, step);
      to[0] = wasm_i32x4_shuffle(w.low, w.high, 0, 2, 4, 6);
      to[stride] = wasm_i32x4_shuffle(w.low, w.high, 1, 3, 5, 7);
    }
  }
  static v128_t multiply_add(v128_t sum, v128_t weight, v128_t x) { return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(weight, x)); }
  static v128_t to_float(v128_t sum, const float *scales, int row) {
    return wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_v128_load32_splat(scales + row));
  }
};

constexpr size_t strip_rows = 8, tile_group_rows = 4, tile_groups_at_once = 32;
/// Columns at a time: 8 KiB of int16, 16 of f32.
constexpr size_t tile_columns = 512;

/// Weights of a strip, and the absmax of its rows for each piece.
template <class Tile>
struct Strip {
  static constexpr size_t units = tile_columns / column_group * Tile::units;
  v128_t weight[units][2];
  v128_t absmax[tile_columns / column_group][2];
  size_t pieces = 0, units_per_piece = 0;

  /// Takes pieces until it is full; false when there are no more.
  bool fill(const typename Tile::Arithmetic &arithmetic, Pieces &from, size_t column) {
    const size_t groups = size_t(from.groups());
    units_per_piece = groups * Tile::units;
    v128_t *to = weight[0];
    for (pieces = 0; (pieces + 1) * units_per_piece <= units; pieces++) {
      absmax[pieces][0] = from.template absmax<Panel128>(column);
      absmax[pieces][1] = from.template absmax<Panel128>(column + 4);
      const uint8_t *codes = from.codes() + column * 4;
      for (size_t group = 0; group < groups; group++, codes += panel_line, to += 2 * Tile::units) {
        Tile::decode(arithmetic, wasm_v128_load(codes), to, 2);
        Tile::decode(arithmetic, wasm_v128_load(codes + 16), to + 1, 2);
      }
      if (!from.advance()) return pieces++, false;
    }
    return true;
  }
};

/// Where a group of rows of x stands.
struct TiledGroup {
  const char *values;
  const float *scales;
  uint64_t rows;
};

/// totals: 8 of each row.
template <class Tile, int rows>
void multiply_strip(const Strip<Tile> &strip, TiledGroup &x, float *totals) {
  const v128_t *weight = strip.weight[0];
  for (size_t piece = 0; piece < strip.pieces; piece++) {
    v128_t sum[rows][2];
#pragma GCC unroll 8
    for (int i = 0; i < 2 * rows; i++) sum[i / 2][i % 2] = wasm_i32x4_const_splat(0);
    const char *values = x.values;
    for (size_t unit = strip.units_per_piece; unit > 0; unit--, weight += 2, values += rows * 4) {
      const v128_t low = wasm_v128_load(weight), high = wasm_v128_load(weight + 1);
#pragma GCC unroll 4
      for (int row = 0; row < rows; row++) {
        const v128_t value = wasm_v128_load32_splat(values + row * 4);
        sum[row][0] = Tile::multiply_add(sum[row][0], low, value);
        sum[row][1] = Tile::multiply_add(sum[row][1], high, value);
      }
    }
    x.values = values;
#pragma GCC unroll 8
    for (int i = 0; i < 2 * rows; i++) {
      float *const to = totals + 4 * i;
      const v128_t scaled = Tile::to_float(sum[i / 2][i % 2], x.scales, i / 2);
      wasm_v128_store(to, wasm::multiply_add(scaled, strip.absmax[piece][i % 2], wasm_v128_load(to)));
    }
    if (Tile::scaled) x.scales += rows;
  }
}

template <class Tile>
void multiply_strip(const Strip<Tile> &strip, TiledGroup &x, float *totals) {
  if (x.rows == 4) multiply_strip<Tile, 4>(strip, x, totals);
  else if (x.rows == 3) multiply_strip<Tile, 3>(strip, x, totals);
  else if (x.rows == 2) multiply_strip<Tile, 2>(strip, x, totals);
  else multiply_strip<Tile, 1>(strip, x, totals);
}

template <class Tile>
TiledGroup group_at(const ActivationLayout &layout, const char *prepared, const RowGroups &groups, uint64_t group) {
  const uint64_t first = groups.first(group);
  const char *const values = prepared + ActivationLayout::values_at + first * layout.k * layout.value_bytes();
  const float *const scales = Tile::scaled ? reinterpret_cast<const float *>(prepared + layout.scales_at()) + first * layout.pieces() : nullptr;
  return {values, scales, groups.size(group)};
}

/// total · factor + bias of the columns of a strip.
inline void store_strip(const float *totals, float factor, const Result &to, uint64_t row, uint64_t first_column) {
  const uint64_t count = to.n - first_column < strip_rows ? to.n - first_column : strip_rows;
  float bias[strip_rows] = {};
  if (to.bias.data) widen(to.bias, first_column, count, bias);
  for (size_t i = 0; i < count; i++) store_one(to.out, size_t(row * to.n + first_column) + i, totals[i] * factor + bias[i]);
}

/// Groups [first, last) of rows of x, at most `tile_groups_at_once`.
template <class Tile>
void multiply_groups(const ActivationLayout &layout, const char *prepared, const RowGroups &groups, uint64_t first, uint64_t last,
                     const typename Tile::Arithmetic &arithmetic, Pieces pieces, size_t column, const Result &to, uint64_t first_column) {
  TiledGroup x[tile_groups_at_once];
  alignas(16) float totals[tile_groups_at_once * tile_group_rows * strip_rows] = {};
  for (uint64_t group = first; group < last; group++) x[group - first] = group_at<Tile>(layout, prepared, groups, group);
  const uint64_t first_row = groups.first(first);
  Strip<Tile> strip;
  for (bool more = true; more;) {
    more = strip.fill(arithmetic, pieces, column);
    for (uint64_t group = first; group < last; group++)
      multiply_strip(strip, x[group - first], totals + (groups.first(group) - first_row) * strip_rows);
  }
  const float *const factors = reinterpret_cast<const float *>(prepared + layout.factors_at());
  for (uint64_t row = first_row; row < groups.first(last); row++)
    store_strip(totals + (row - first_row) * strip_rows, factors[row], to, row, first_column);
}

template <class Tile>
void multiply_panels_tiled(const ActivationLayout &layout, const void *prepared, const PackedWeight &weight, const float *code, const Result &to,
                           uint64_t begin, uint64_t end) {
  const char *const base = static_cast<const char *>(prepared);
  const typename Tile::Arithmetic arithmetic(code, prepared);
  const RowGroups groups(layout.m, tile_group_rows);
  Boundaries boundaries(weight.layout);
  for (uint64_t panel = begin; panel < end; panel++) {
    boundaries.enter(panel);
    const Pieces pieces(weight.layout, boundaries, weight.packed + panel * weight.layout.panel_bytes());
    for (size_t column = 0; column < panel_rows && panel * panel_rows + column < to.n; column += strip_rows)
      for (uint64_t first = 0; first < groups.count; first += tile_groups_at_once) {
        const uint64_t last = groups.count - first < tile_groups_at_once ? groups.count : first + tile_groups_at_once;
        multiply_groups<Tile>(layout, base, groups, first, last, arithmetic, pieces, column, to, panel * panel_rows + column);
      }
  }
}

}  // namespace
}  // namespace hb::wasm
