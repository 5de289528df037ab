// x·Wᵀ for many rows of x, as in tile_product_avx512.h: 64 decoded weight rows by 128 columns in L1, in four strips of 16 rows, each transposed.
//
// Six rows of x by a strip. Registers: sums 12, weights 2, x 1.
#pragma once
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

constexpr uint64_t tile_rows = 64, strip_rows = 16, tile_k = 128;
/// Rows of x per decoded tile.
constexpr uint64_t tile_m = 96;
constexpr uint64_t most_rows_of_x = 6;

/// The sums of one row of x with a strip.
struct StripSums {
  __m256 low, high;

  inline void add(__m256 x, __m256 w0, __m256 w1) {
    low = _mm256_fmadd_ps(x, w0, low);
    high = _mm256_fmadd_ps(x, w1, high);
    // GCC 12 keeps sums in memory unless told that they are in registers here.
    asm("" : "+x"(low), "+x"(high));
  }
  inline void add_to(float *total) const {
    _mm256_store_ps(total, _mm256_add_ps(_mm256_load_ps(total), low));
    _mm256_store_ps(total + 8, _mm256_add_ps(_mm256_load_ps(total + 8), high));
  }
};

/// Adds `rows` rows of x times a strip to their totals.
template <int rows>
void multiply_strip(const float *x, uint64_t k, const float *strip, uint64_t count, float *total) {
  const __m256 zero = _mm256_setzero_ps();
  StripSums r0{zero, zero}, r1 = r0, r2 = r0, r3 = r0, r4 = r0, r5 = r0;
  for (const float *const end = x + count; x < end; x++, strip += strip_rows) {
    const __m256 w0 = _mm256_load_ps(strip), w1 = _mm256_load_ps(strip + 8);
    r0.add(_mm256_broadcast_ss(x), w0, w1);
    if constexpr (rows > 1) r1.add(_mm256_broadcast_ss(x + k), w0, w1);
    if constexpr (rows > 2) r2.add(_mm256_broadcast_ss(x + 2 * k), w0, w1);
    if constexpr (rows > 3) r3.add(_mm256_broadcast_ss(x + 3 * k), w0, w1);
    if constexpr (rows > 4) r4.add(_mm256_broadcast_ss(x + 4 * k), w0, w1);
    if constexpr (rows > 5) r5.add(_mm256_broadcast_ss(x + 5 * k), w0, w1);
  }
  r0.add_to(total);
  if constexpr (rows > 1) r1.add_to(total + tile_rows);
  if constexpr (rows > 2) r2.add_to(total + 2 * tile_rows);
  if constexpr (rows > 3) r3.add_to(total + 3 * tile_rows);
  if constexpr (rows > 4) r4.add_to(total + 4 * tile_rows);
  if constexpr (rows > 5) r5.add_to(total + 5 * tile_rows);
}

/// Six rows of x, or what is left, by all strips.
template <int rows>
void multiply_tile(const float *x, uint64_t k, const float *tile, uint64_t strips, uint64_t count, float *total) {
  // Pieces of rows are too short for the hardware to follow: the next group's are asked for here.
  for (uint64_t at = 0; at < count; at += 16)
    for (uint64_t i = 0; i < uint64_t(rows); i++) _mm_prefetch(reinterpret_cast<const char *>(x + (rows + i) * k + at), _MM_HINT_T0);
  for (uint64_t strip = 0; strip < strips; strip++)
    multiply_strip<rows>(x, k, tile + strip * strip_rows * tile_k, count, total + strip * strip_rows);
}

/// `m` rows of x in even groups of up to 6.
inline void multiply_rows_of_x(const float *x, uint64_t m, uint64_t k, const float *tile, uint64_t strips, uint64_t count, float *total) {
  const uint64_t turns = (m + most_rows_of_x - 1) / most_rows_of_x;
  for (uint64_t turn = 0, row = 0; turn < turns; turn++) {
    const uint64_t until = m * (turn + 1) / turns;
    const float *const xs = x + row * k;
    float *const to = total + row * tile_rows;
    switch (until - row) {
      case 6: multiply_tile<6>(xs, k, tile, strips, count, to); break;
      case 5: multiply_tile<5>(xs, k, tile, strips, count, to); break;
      case 4: multiply_tile<4>(xs, k, tile, strips, count, to); break;
      case 3: multiply_tile<3>(xs, k, tile, strips, count, to); break;
      case 2: multiply_tile<2>(xs, k, tile, strips, count, to); break;
      default: multiply_tile<1>(xs, k, tile, strips, count, to);
    }
    row = until;
  }
}

/// Eight lines of eight floats, `from_stride` apart, to columns `strip_rows` apart.
inline void transpose8(const float *from, uint64_t from_stride, float *to) {
  __m256 t[8];
#pragma GCC unroll 2
  for (uint64_t q = 0; q < 8; q += 4) {
    const __m256 r0 = _mm256_load_ps(from + q * from_stride), r1 = _mm256_load_ps(from + (q + 1) * from_stride);
    const __m256 r2 = _mm256_load_ps(from + (q + 2) * from_stride), r3 = _mm256_load_ps(from + (q + 3) * from_stride);
    const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1), c = _mm256_unpacklo_ps(r2, r3), d = _mm256_unpackhi_ps(r2, r3);
    t[q] = _mm256_shuffle_ps(a, c, 0x44);
    t[q + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[q + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[q + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
#pragma GCC unroll 4
  for (uint64_t i = 0; i < 4; i++) {
    _mm256_store_ps(to + i * strip_rows, _mm256_permute2f128_ps(t[i], t[i + 4], 0x20));
    _mm256_store_ps(to + (i + 4) * strip_rows, _mm256_permute2f128_ps(t[i], t[i + 4], 0x31));
  }
}

/// Decodes up to 16 rows, and transposes them into a strip.
template <typename Decode>
inline void fill_strip(const Decode &decode, uint64_t row, uint64_t rows, uint64_t first, uint64_t count, float *strip) {
  alignas(32) float lines[strip_rows][tile_k];
  for (uint64_t r = 0; r < strip_rows; r++) {
    if (r < rows) decode(row + r, first, count, lines[r]);
    else memset(lines[r], 0, sizeof lines[r]);
  }
  for (uint64_t at = 0; at < count; at += 8) {
    transpose8(lines[0] + at, tile_k, strip + at * strip_rows);
    transpose8(lines[8] + at, tile_k, strip + at * strip_rows + 8);
  }
}

template <hb_dtype dtype>
void store_totals(const float *total, const float *bias, uint64_t rows, uint64_t m, uint64_t n, void *out, uint64_t at) {
  for (uint64_t i = 0; i < m; i++) {
    const float *const from = total + i * tile_rows;
    uint64_t r = 0;
    for (; r + 8 <= rows; r += 8) {
      const __m256 sums = _mm256_load_ps(from + r);
      store8<dtype, false>(out, at + i * n + r, bias ? _mm256_add_ps(sums, _mm256_loadu_ps(bias + r)) : sums);
    }
    for (; r < rows; r++) store_one({out, dtype}, at + i * n + r, bias ? from[r] + bias[r] : from[r]);
  }
}

/// Rows [begin, end) of a weight whose pieces `decode(row, first, count, to)` writes as f32.
template <typename Decode>
inline void tile_product(const float *x, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out,
                         const Decode &decode) {
  alignas(64) float tile[tile_k * tile_rows];
  alignas(64) float total[tile_m * tile_rows];
  for (uint64_t first_m = 0; first_m < m; first_m += tile_m) {
    const uint64_t count_m = m - first_m < tile_m ? m - first_m : tile_m;
    for (uint64_t row = begin; row < end; row += tile_rows) {
      const uint64_t rows = end - row < tile_rows ? end - row : tile_rows, strips = (rows + strip_rows - 1) / strip_rows;
      memset(total, 0, count_m * tile_rows * sizeof(float));
      for (uint64_t first = 0; first < k; first += tile_k) {
        const uint64_t count = k - first < tile_k ? k - first : tile_k;
        for (uint64_t r = 0; r < rows; r += strip_rows) fill_strip(decode, row + r, rows - r, first, count, tile + r * tile_k);
        multiply_rows_of_x(x + first_m * k + first, count_m, k, tile, strips, count, total);
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
}  // namespace hb::avx2
