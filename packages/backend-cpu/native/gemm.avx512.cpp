// x·Wᵀ with a dense W. A few rows of x: dot products along the rows of W, which comes from memory once for all of them. More: tiles of W
// (tile_product_avx512.h). Registers, dot products: sums 16, weights 4, x 1.
#include "tile_product_avx512.h"

namespace hb::avx512 {
namespace {

/// Up to here dot products, in groups of up to 4 rows of x, are faster than transposing tiles.
constexpr uint64_t most_dots = 12;

/// Four rows of a weight: its flat elements from which on they stand.
struct FourRows {
  const void *data;
  uint64_t r0, r1, r2, r3;
};

/// total[4·i + j] = `rows` rows of x times four of the weight. A single row of x has two sums for each, so that none waits for the one before.
template <hb_dtype dtype, int rows>
void dot(const float *x, uint64_t k, const FourRows &w, float (&total)[16]) {
  __m512 sum[4][4];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) sum[i / 4][i % 4] = _mm512_setzero_ps();
  const auto add = [&](__m512 (&s)[4], __m512 value, __m512 w0, __m512 w1, __m512 w2, __m512 w3) __attribute__((always_inline)) {
    s[0] = _mm512_fmadd_ps(value, w0, s[0]);
    s[1] = _mm512_fmadd_ps(value, w1, s[1]);
    s[2] = _mm512_fmadd_ps(value, w2, s[2]);
    s[3] = _mm512_fmadd_ps(value, w3, s[3]);
  };
  const auto ahead = [&](uint64_t row, uint64_t at) __attribute__((always_inline)) {
    _mm_prefetch(static_cast<const char *>(w.data) + (row + at) * bytes_of(dtype) + 4096, _MM_HINT_T0);
  };
  const auto step = [&](uint64_t at, int turn) __attribute__((always_inline)) {
    const __m512 w0 = load16<dtype>(w.data, w.r0 + at), w1 = load16<dtype>(w.data, w.r1 + at);
    const __m512 w2 = load16<dtype>(w.data, w.r2 + at), w3 = load16<dtype>(w.data, w.r3 + at);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) add(sum[rows == 1 ? turn : i], _mm512_loadu_ps(x + uint64_t(i) * k + at), w0, w1, w2, w3);
  };
  uint64_t at = 0;
  for (; at + 32 <= k; at += 32) {
    ahead(w.r0, at);
    ahead(w.r1, at);
    ahead(w.r2, at);
    ahead(w.r3, at);
    if constexpr (dtype == HB_FLOAT32) {
      ahead(w.r0, at + 16);
      ahead(w.r1, at + 16);
      ahead(w.r2, at + 16);
      ahead(w.r3, at + 16);
    }
    step(at, 0);
    step(at + 16, 1);
  }
  for (; at < k; at += 16) {
    const __mmask16 lanes = first_lanes(k - at);
    const __m512 w0 = load_lanes<dtype>(w.data, w.r0 + at, lanes), w1 = load_lanes<dtype>(w.data, w.r1 + at, lanes);
    const __m512 w2 = load_lanes<dtype>(w.data, w.r2 + at, lanes), w3 = load_lanes<dtype>(w.data, w.r3 + at, lanes);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) add(sum[i], _mm512_maskz_loadu_ps(lanes, x + uint64_t(i) * k + at), w0, w1, w2, w3);
  }
  if constexpr (rows == 1) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) sum[0][j] = _mm512_add_ps(sum[0][j], sum[1][j]);
  }
  _mm512_storeu_ps(total, sum_lanes(sum));
}

/// Rows [begin, end), four at a time, which stay in L2 while the rows of x take turns.
template <hb_dtype dtype>
void dots(const float *x, const void *weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const uint64_t groups = (m + 3) / 4;
  for (uint64_t row = begin; row < end; row += 4) {
    // A last group of fewer rows repeats its last one.
    const uint64_t last = end - row < 4 ? end - row - 1 : 3, first = row * k;
    const FourRows w{weight, first, first + (last < 1 ? last : 1) * k, first + (last < 2 ? last : 2) * k, first + last * k};
    for (uint64_t group = 0, at = 0; group < groups; group++) {
      const uint64_t until = m * (group + 1) / groups;
      float total[16];
      switch (until - at) {
        case 4: dot<dtype, 4>(x + at * k, k, w, total); break;
        case 3: dot<dtype, 3>(x + at * k, k, w, total); break;
        case 2: dot<dtype, 2>(x + at * k, k, w, total); break;
        default: dot<dtype, 1>(x + at * k, k, w, total);
      }
      for (uint64_t i = 0; at < until; i++, at++)
        for (uint64_t r = 0; r <= last; r++) store_one(out, at * n + row + r, bias ? total[4 * i + r] + bias[row + r] : total[4 * i + r]);
    }
  }
}

template <hb_dtype dtype>
void product(const float *x, const void *weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  if (m <= most_dots) return dots<dtype>(x, weight, bias, m, n, k, begin, end, out);
  tile_product(x, bias, m, n, k, begin, end, out, [&](uint64_t row, uint64_t first, uint64_t count, float *to) {
    const uint64_t flat = row * k + first;
    const char *const next = static_cast<const char *>(weight) + (flat + count) * bytes_of(dtype);
    for (uint64_t line = 0; line < count * bytes_of(dtype); line += 64) _mm_prefetch(next + line, _MM_HINT_T1);
    uint64_t i = 0;
    for (; i + 16 <= count; i += 16) _mm512_storeu_ps(to + i, load16<dtype>(weight, flat + i));
    if (i < count) _mm512_storeu_ps(to + i, load_lanes<dtype>(weight, flat + i, first_lanes(count - i)));
  });
}

}  // namespace

void gemm(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  if (weight.dtype == HB_FLOAT32) product<HB_FLOAT32>(x, weight.data, bias, m, n, k, begin, end, out);
  else if (weight.dtype == HB_FLOAT16) product<HB_FLOAT16>(x, weight.data, bias, m, n, k, begin, end, out);
  else product<HB_BFLOAT16>(x, weight.data, bias, m, n, k, begin, end, out);
}

}  // namespace hb::avx512
