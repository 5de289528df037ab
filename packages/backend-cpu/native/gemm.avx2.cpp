// x·Wᵀ with a dense W. A few rows of x: dot products along the rows of W, which comes from memory once for all of them. More: tiles of W
// (tile_product_avx2.h). Registers, dot products: sums 8, weights 4, x 1.
#include "tile_product_avx2.h"

namespace hb::avx2 {
namespace {

/// Up to here dot products, in pairs of rows of x, are faster than transposing tiles.
constexpr uint64_t most_dots = 10;

/// Four rows of a weight: its flat elements from which on they stand.
struct FourRows {
  Floats weight;
  uint64_t row[4];
};

/// total[4·i + j] = `rows` rows of x times four of the weight. A single row of x has two sums for each, so that none waits for the one before.
template <hb_dtype dtype, int rows>
void dot(const float *x, uint64_t k, const FourRows &w, float (&total)[8]) {
  __m256 sum[2][4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) sum[i / 4][i % 4] = _mm256_setzero_ps();
  const void *const data = w.weight.data;
  const uint64_t r0 = w.row[0], r1 = w.row[1], r2 = w.row[2], r3 = w.row[3];
  const auto ahead = [&](uint64_t row, uint64_t at) __attribute__((always_inline)) {
    _mm_prefetch(static_cast<const char *>(data) + (row + at) * bytes_of(dtype) + 2048, _MM_HINT_T0);
  };
  const auto step = [&](uint64_t at, int turn) __attribute__((always_inline)) {
    const __m256 w0 = load8<dtype>(data, r0 + at), w1 = load8<dtype>(data, r1 + at), w2 = load8<dtype>(data, r2 + at), w3 = load8<dtype>(data, r3 + at);
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++) {
      const __m256 value = _mm256_loadu_ps(x + uint64_t(i) * k + at);
      __m256(&s)[4] = sum[rows == 1 ? turn : i];
      s[0] = _mm256_fmadd_ps(value, w0, s[0]);
      s[1] = _mm256_fmadd_ps(value, w1, s[1]);
      s[2] = _mm256_fmadd_ps(value, w2, s[2]);
      s[3] = _mm256_fmadd_ps(value, w3, s[3]);
    }
  };
  const uint64_t whole = k / 16 * 16;
  for (uint64_t at = 0; at < whole; at += 16) {
    ahead(r0, at);
    ahead(r1, at);
    ahead(r2, at);
    ahead(r3, at);
    step(at, 0);
    step(at + 8, 1);
  }
  if constexpr (rows == 1) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) sum[0][j] = _mm256_add_ps(sum[0][j], sum[1][j]);
  }
  _mm256_storeu_ps(total, sum_lanes(sum));
  for (uint64_t at = whole; at < k; at++)
    for (int j = 0; j < 4; j++) {
      const float value = load_one(w.weight, w.row[j] + at);
      for (int i = 0; i < rows; i++) total[4 * i + j] += x[uint64_t(i) * k + at] * value;
    }
}

/// Rows [begin, end), four at a time, which stay in L2 while the rows of x take turns.
template <hb_dtype dtype>
void dots(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  for (uint64_t row = begin; row < end; row += 4) {
    // A last group of fewer rows repeats its last one.
    const uint64_t last = end - row < 4 ? end - row - 1 : 3, first = row * k;
    const FourRows w{weight, {first, first + (last < 1 ? last : 1) * k, first + (last < 2 ? last : 2) * k, first + last * k}};
    for (uint64_t at = 0; at < m; at += 2) {
      float total[8];
      if (m - at > 1) dot<dtype, 2>(x + at * k, k, w, total);
      else dot<dtype, 1>(x + at * k, k, w, total);
      for (uint64_t i = 0; i < 2 && at + i < m; i++)
        for (uint64_t r = 0; r <= last; r++) store_one(out, (at + i) * n + row + r, bias ? total[4 * i + r] + bias[row + r] : total[4 * i + r]);
    }
  }
}

template <hb_dtype dtype>
void product(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  if (m <= most_dots) return dots<dtype>(x, weight, bias, m, n, k, begin, end, out);
  tile_product(x, bias, m, n, k, begin, end, out, [&](uint64_t row, uint64_t first, uint64_t count, float *to) {
    const uint64_t flat = row * k + first;
    const char *const next = static_cast<const char *>(weight.data) + (flat + count) * bytes_of(dtype);
    for (uint64_t line = 0; line < count * bytes_of(dtype); line += 64) _mm_prefetch(next + line, _MM_HINT_T1);
    uint64_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(to + i, load8<dtype>(weight.data, flat + i));
    for (; i < count; i++) to[i] = load_one(weight, flat + i);
  });
}

}  // namespace

void gemm(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  if (weight.dtype == HB_FLOAT32) product<HB_FLOAT32>(x, weight, bias, m, n, k, begin, end, out);
  else if (weight.dtype == HB_FLOAT16) product<HB_FLOAT16>(x, weight, bias, m, n, k, begin, end, out);
  else product<HB_BFLOAT16>(x, weight, bias, m, n, k, begin, end, out);
}

}  // namespace hb::avx2
