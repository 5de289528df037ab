// x·W with a dense W[n,k], over the lanes of an instruction set: out[row, column] sums x[row, j] · W[j, column] over j.
//
// One row of x: eight rows of W pass by together, as they lie in memory. More: tiles of 64 columns of W are widened to f32 once and stay in L1 while groups
// of up to six rows of x pass by, whose sums stay in registers. Sums of a tile are added up, so that no chain of roundings is as long as n.
#pragma once
#include "float_array.h"

namespace hb {
namespace {

constexpr uint64_t transposed_width = 64, transposed_depth = 128, transposed_group = 6, transposed_rows = 192;

struct Transposed {
  const float *x;
  Floats weight;
  const float *bias;
  uint64_t n, k;
  MutableFloats out;

  inline void store(uint64_t row, uint64_t column, const float *sums, uint64_t count) const {
    float values[transposed_width];
    for (uint64_t i = 0; i < count; i++) values[i] = bias ? sums[i] + bias[column + i] : sums[i];
    narrow(values, count, out, row * k + column);
  }
};

// ── One row of x ──

template <class Lanes, hb_dtype dtype, int depth>
inline void add_weight_rows(const float *x, const void *weight, uint64_t first, uint64_t k, uint64_t count, float *total) {
  const uint64_t whole = count - count % Lanes::count;
  for (uint64_t i = 0; i < whole; i += Lanes::count) {
    Lanes sum = Lanes(x[0]) * Lanes::template load_as<dtype>(weight, first + i);
#pragma GCC unroll 8
    for (int j = 1; j < depth; j++) sum = fused_multiply_add(Lanes(x[j]), Lanes::template load_as<dtype>(weight, first + uint64_t(j) * k + i), sum);
    (Lanes::load(total + i) + sum).store(total + i);
  }
  for (uint64_t i = whole; i < count; i++) {
    float values[depth], sum = 0;
    for (int j = 0; j < depth; j++) widen({weight, dtype}, first + uint64_t(j) * k + i, 1, values + j);
    for (int j = 0; j < depth; j++) sum = fused_multiply_add(x[j], values[j], sum);
    total[i] += sum;
  }
}

template <class Lanes, hb_dtype dtype>
void multiply_row(const Transposed &p, uint64_t row) {
  constexpr uint64_t piece = 2048;
  alignas(64) float total[piece];
  const float *const x = p.x + row * p.n;
  for (uint64_t column = 0; column < p.k; column += piece) {
    const uint64_t count = p.k - column < piece ? p.k - column : piece;
    memset(total, 0, sizeof total);
    uint64_t j = 0;
    for (; j + 8 <= p.n; j += 8) add_weight_rows<Lanes, dtype, 8>(x + j, p.weight.data, j * p.k + column, p.k, count, total);
    for (; j < p.n; j++) add_weight_rows<Lanes, dtype, 1>(x + j, p.weight.data, j * p.k + column, p.k, count, total);
    for (uint64_t i = 0; i < count; i += transposed_width)
      p.store(row, column + i, total + i, count - i < transposed_width ? count - i : transposed_width);
  }
}

// ── Tiles ──

/// The next tile of a column lies a stride apart, row by row: no stream that the processor would fetch by itself.
template <hb_dtype dtype>
inline void prefetch_row(const void *weight, uint64_t at) {
  constexpr uint64_t bytes = dtype == HB_FLOAT32 ? 4 : 2;
  for (uint64_t i = 0; i < transposed_width * bytes; i += 64) __builtin_prefetch(static_cast<const char *>(weight) + at * bytes + i, 0, 2);
}

/// Rows [first, first + depth) of `count` columns as f32, the rest of the width 0.
template <class Lanes, hb_dtype dtype>
inline void widen_tile(const Transposed &p, uint64_t first, uint64_t depth, uint64_t column, uint64_t count, float *tile) {
  const uint64_t whole = count - count % Lanes::count;
  for (uint64_t j = 0; j < depth; j++) {
    const uint64_t flat = (first + j) * p.k + column;
    float *const to = tile + j * transposed_width;
    prefetch_row<dtype>(p.weight.data, flat + transposed_depth * p.k);
    for (uint64_t i = 0; i < whole; i += Lanes::count) Lanes::template load_as<dtype>(p.weight.data, flat + i).store(to + i);
    if (whole == transposed_width) continue;
    widen(p.weight, flat + whole, count - whole, to + whole);
    memset(to + count, 0, (transposed_width - count) * sizeof(float));
  }
}

/// Adds `rows` rows of x times a part of the tile to total.
template <class Lanes, int vectors, int rows>
inline void multiply_part(const float *x, uint64_t n, const float *tile, uint64_t depth, float *total) {
  Lanes sum[rows][vectors];
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sum[r][v] = Lanes(0);
  for (uint64_t j = 0; j < depth; j++) {
    Lanes w[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) w[v] = Lanes::load(tile + j * transposed_width + uint64_t(v) * Lanes::count);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Lanes value = x[uint64_t(r) * n + j];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = fused_multiply_add(value, w[v], sum[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      float *const to = total + uint64_t(r) * transposed_width + uint64_t(v) * Lanes::count;
      (Lanes::load(to) + sum[r][v]).store(to);
    }
}

template <class Lanes, int vectors>
inline void multiply_group(uint64_t rows, const float *x, uint64_t n, const float *tile, uint64_t depth, float *total) {
  for (uint64_t part = 0; part < transposed_width; part += vectors * Lanes::count) {
    switch (rows) {
      case 6: multiply_part<Lanes, vectors, 6>(x, n, tile + part, depth, total + part); break;
      case 5: multiply_part<Lanes, vectors, 5>(x, n, tile + part, depth, total + part); break;
      case 4: multiply_part<Lanes, vectors, 4>(x, n, tile + part, depth, total + part); break;
      case 3: multiply_part<Lanes, vectors, 3>(x, n, tile + part, depth, total + part); break;
      case 2: multiply_part<Lanes, vectors, 2>(x, n, tile + part, depth, total + part); break;
      default: multiply_part<Lanes, vectors, 1>(x, n, tile + part, depth, total + part);
    }
  }
}

/// Rows [begin, begin + rows) of x, at most transposed_rows, for `count` columns.
template <class Lanes, hb_dtype dtype, int vectors>
void multiply_columns(const Transposed &p, uint64_t begin, uint64_t rows, uint64_t column, uint64_t count) {
  alignas(64) float tile[transposed_depth * transposed_width], total[transposed_rows * transposed_width];
  memset(total, 0, rows * transposed_width * sizeof(float));
  // Groups of 5 and 6 rather than of 6 and a lonely 1, whose few sums would wait for each other.
  const uint64_t groups = (rows + transposed_group - 1) / transposed_group;
  for (uint64_t first = 0; first < p.n; first += transposed_depth) {
    const uint64_t depth = p.n - first < transposed_depth ? p.n - first : transposed_depth;
    widen_tile<Lanes, dtype>(p, first, depth, column, count, tile);
    for (uint64_t group = 0, at = 0; group < groups; group++) {
      const uint64_t until = rows * (group + 1) / groups;
      multiply_group<Lanes, vectors>(until - at, p.x + (begin + at) * p.n + first, p.n, tile, depth, total + at * transposed_width);
      at = until;
    }
  }
  for (uint64_t i = 0; i < rows; i++) p.store(begin + i, column, total + i * transposed_width, count);
}

template <class Lanes, hb_dtype dtype, int vectors>
void multiply_transposed(const Transposed &p, uint64_t m, uint64_t begin, uint64_t end) {
  // Not whenever a range has one row: results would depend on how the rows are cut.
  if (m == 1) return multiply_row<Lanes, dtype>(p, begin);
  for (uint64_t row = begin; row < end; row += transposed_rows)
    for (uint64_t column = 0; column < p.k; column += transposed_width)
      multiply_columns<Lanes, dtype, vectors>(p, row, end - row < transposed_rows ? end - row : transposed_rows, column,
                                              p.k - column < transposed_width ? p.k - column : transposed_width);
}

/// `vectors` of columns times six rows of sums fit the registers.
template <class Lanes, int vectors>
void gemm_transposed_lanes(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
                           MutableFloats out) {
  const Transposed p = {x, weight, bias, n, k, out};
  if (weight.dtype == HB_FLOAT32) multiply_transposed<Lanes, HB_FLOAT32, vectors>(p, m, begin, end);
  else if (weight.dtype == HB_FLOAT16) multiply_transposed<Lanes, HB_FLOAT16, vectors>(p, m, begin, end);
  else multiply_transposed<Lanes, HB_BFLOAT16, vectors>(p, m, begin, end);
}

}  // namespace
}  // namespace hb
