// x·Wᵀ for many rows of x: 64 rows of a weight that is stored in any way are decoded, 128 columns at a time, into a tile that stays in L1 while the rows
// of x pass by, six at a time.
//
// The tile is transposed, 64 weights of one column side by side, so that sums need no adding across lanes: a sum is a chain of 128 FMAs, and those of the
// pieces of k are added up. Registers: sums 24, weights 4, x 1.
#pragma once
#include "transpose_avx512.h"

namespace hb::avx512 {
namespace {

constexpr uint64_t tile_rows = 64, tile_k = 128;
/// Rows of x per decoded tile.
constexpr uint64_t tile_m = 192;
constexpr uint64_t most_rows_of_x = 6;

/// The sums of one row of x with up to 64 weight rows.
template <int vectors>
struct TileSums {
  __m512 s0, s1, s2, s3;

  inline void add(__m512 x, __m512 w0, __m512 w1, __m512 w2, __m512 w3) {
    s0 = _mm512_fmadd_ps(x, w0, s0);
    if constexpr (vectors > 1) s1 = _mm512_fmadd_ps(x, w1, s1);
    if constexpr (vectors > 2) s2 = _mm512_fmadd_ps(x, w2, s2);
    if constexpr (vectors > 3) s3 = _mm512_fmadd_ps(x, w3, s3);
    // GCC 12 keeps sums in memory unless told that they are in registers here.
    asm("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3));
  }

  inline void add_to(float *total) const {
    _mm512_store_ps(total, _mm512_add_ps(_mm512_load_ps(total), s0));
    if constexpr (vectors > 1) _mm512_store_ps(total + 16, _mm512_add_ps(_mm512_load_ps(total + 16), s1));
    if constexpr (vectors > 2) _mm512_store_ps(total + 32, _mm512_add_ps(_mm512_load_ps(total + 32), s2));
    if constexpr (vectors > 3) _mm512_store_ps(total + 48, _mm512_add_ps(_mm512_load_ps(total + 48), s3));
  }
};

/// Adds `rows` rows of x times the tile to their totals.
template <int rows, int vectors>
void multiply_tile(const float *x, uint64_t k, const float *tile, uint64_t count, float *total) {
  const __m512 zero = _mm512_setzero_ps();
  TileSums<vectors> r0{zero, zero, zero, zero}, r1 = r0, r2 = r0, r3 = r0, r4 = r0, r5 = r0;
  for (uint64_t at = 0; at < count; at++, x++, tile += tile_rows) {
    // Pieces of rows are too short for the hardware to follow: the next group's are asked for here.
    if (at % 16 == 0) {
#pragma GCC unroll 6
      for (int i = 0; i < rows; i++) _mm_prefetch(reinterpret_cast<const char *>(x + uint64_t(rows + i) * k), _MM_HINT_T0);
    }
    const __m512 w0 = _mm512_load_ps(tile), w1 = vectors > 1 ? _mm512_load_ps(tile + 16) : zero, w2 = vectors > 2 ? _mm512_load_ps(tile + 32) : zero,
                 w3 = vectors > 3 ? _mm512_load_ps(tile + 48) : zero;
    r0.add(_mm512_set1_ps(x[0]), w0, w1, w2, w3);
    if constexpr (rows > 1) r1.add(_mm512_set1_ps(x[k]), w0, w1, w2, w3);
    if constexpr (rows > 2) r2.add(_mm512_set1_ps(x[2 * k]), w0, w1, w2, w3);
    if constexpr (rows > 3) r3.add(_mm512_set1_ps(x[3 * k]), w0, w1, w2, w3);
    if constexpr (rows > 4) r4.add(_mm512_set1_ps(x[4 * k]), w0, w1, w2, w3);
    if constexpr (rows > 5) r5.add(_mm512_set1_ps(x[5 * k]), w0, w1, w2, w3);
  }
  r0.add_to(total);
  if constexpr (rows > 1) r1.add_to(total + tile_rows);
  if constexpr (rows > 2) r2.add_to(total + 2 * tile_rows);
  if constexpr (rows > 3) r3.add_to(total + 3 * tile_rows);
  if constexpr (rows > 4) r4.add_to(total + 4 * tile_rows);
  if constexpr (rows > 5) r5.add_to(total + 5 * tile_rows);
}

/// `m` rows of x in even groups of up to 6.
template <int vectors>
void multiply_rows_of_x(const float *x, uint64_t m, uint64_t k, const float *tile, uint64_t count, float *total) {
  const uint64_t turns = (m + most_rows_of_x - 1) / most_rows_of_x;
  for (uint64_t turn = 0, row = 0; turn < turns; turn++) {
    const uint64_t until = m * (turn + 1) / turns;
    const float *const xs = x + row * k;
    float *const to = total + row * tile_rows;
    switch (until - row) {
      case 6: multiply_tile<6, vectors>(xs, k, tile, count, to); break;
      case 5: multiply_tile<5, vectors>(xs, k, tile, count, to); break;
      case 4: multiply_tile<4, vectors>(xs, k, tile, count, to); break;
      case 3: multiply_tile<3, vectors>(xs, k, tile, count, to); break;
      case 2: multiply_tile<2, vectors>(xs, k, tile, count, to); break;
      default: multiply_tile<1, vectors>(xs, k, tile, count, to);
    }
    row = until;
  }
}

/// Decodes up to 16 rows, and transposes them into the tile.
template <typename Decode>
inline void fill_tile(const Decode &decode, uint64_t row, uint64_t rows, uint64_t first, uint64_t count, float *tile) {
  alignas(64) float lines[16][tile_k];
  for (uint64_t r = 0; r < 16; r++) {
    if (r < rows) decode(row + r, first, count, lines[r]);
    else memset(lines[r], 0, sizeof lines[r]);
  }
  for (uint64_t at = 0; at < count; at += 16) {
    __m512i v[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; r++) v[r] = _mm512_load_si512(lines[r] + at);
    transpose16(v);
#pragma GCC unroll 16
    for (int c = 0; c < 16; c++) _mm512_store_si512(tile + (at + uint64_t(c)) * tile_rows, v[c]);
  }
}

template <hb_dtype dtype>
void store_totals(const float *total, const float *bias, uint64_t rows, uint64_t m, uint64_t n, void *out, uint64_t at) {
  for (uint64_t i = 0; i < m; i++)
    for (uint64_t r = 0; r < rows; r += 16) {
      const __mmask16 lanes = first_lanes(rows - r);
      __m512 values = _mm512_load_ps(total + i * tile_rows + r);
      if (bias) values = _mm512_add_ps(values, _mm512_maskz_loadu_ps(lanes, bias + r));
      if (rows - r >= 16) store16<dtype, false>(out, at + i * n + r, values);
      else store_lanes<dtype>(out, at + i * n + r, lanes, values);
    }
}

/// Rows [begin, end) of a weight whose pieces `decode(row, first, count, to)` writes as f32; `to` has room up to a multiple of 16.
template <typename Decode>
inline void tile_product(const float *x, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out,
                         const Decode &decode) {
  alignas(64) float tile[tile_k * tile_rows];
  alignas(64) float total[tile_m * tile_rows];
  for (uint64_t first_m = 0; first_m < m; first_m += tile_m) {
    const uint64_t count_m = m - first_m < tile_m ? m - first_m : tile_m;
    for (uint64_t row = begin; row < end; row += tile_rows) {
      const uint64_t rows = end - row < tile_rows ? end - row : tile_rows;
      memset(total, 0, count_m * tile_rows * sizeof(float));
      for (uint64_t first = 0; first < k; first += tile_k) {
        const uint64_t count = k - first < tile_k ? k - first : tile_k;
        for (uint64_t r = 0; r < rows; r += 16) fill_tile(decode, row + r, rows - r, first, count, tile + r);
        const float *const xs = x + first_m * k + first;
        switch ((rows + 15) / 16) {
          case 4: multiply_rows_of_x<4>(xs, count_m, k, tile, count, total); break;
          case 3: multiply_rows_of_x<3>(xs, count_m, k, tile, count, total); break;
          case 2: multiply_rows_of_x<2>(xs, count_m, k, tile, count, total); break;
          default: multiply_rows_of_x<1>(xs, count_m, k, tile, count, total);
        }
      }
      const float *const addends = bias ? bias + row : nullptr;
      const uint64_t at = first_m * n + row;
      if (out.dtype == HB_FLOAT32) store_totals<HB_FLOAT32>(total, addends, rows, count_m, n, out.data, at);
      else if (out.dtype == HB_FLOAT16) store_totals<HB_FLOAT16>(total, addends, rows, count_m, n, out.data, at);
      else store_totals<HB_BFLOAT16>(total, addends, rows, count_m, n, out.data, at);
    }
  }
}

}  // namespace
}  // namespace hb::avx512
