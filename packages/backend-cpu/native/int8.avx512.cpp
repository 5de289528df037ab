// LLM.int8(): row statistics, row quantization and the integer product, all exact.
//
// The product for a few rows of a: vectors run along k as the rows of b lie, of which 128 more is the unsigned side (one xor per load, shared by the rows
// of a). For many: pieces of b are repacked for int8_product_avx512.h. Registers: sum[4][4] 16, b 4, a 1, sign bits 1.
#include "int8_product_avx512.h"
#include "transpose_avx512.h"

namespace hb::avx512 {
namespace {

constexpr uint64_t product_k = 2048;
constexpr uint64_t product_rows = 16;

inline __m512i sum_pairs(__m512i a, __m512i b) { return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)); }

/// Lane 4·i + j is the sum of the lanes of s[i][j].
inline __m512i sum_lanes(const __m512i (&s)[4][4]) {
  __m512i quads[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512i even = sum_pairs(s[i][0], s[i][1]), odd = sum_pairs(s[i][2], s[i][3]);
    quads[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
  }
  const __m512i upper = _mm512_add_epi32(_mm512_shuffle_i32x4(quads[0], quads[1], 0x88), _mm512_shuffle_i32x4(quads[0], quads[1], 0xdd));
  const __m512i lower = _mm512_add_epi32(_mm512_shuffle_i32x4(quads[2], quads[3], 0x88), _mm512_shuffle_i32x4(quads[2], quads[3], 0xdd));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(upper, lower, 0x88), _mm512_shuffle_i32x4(upper, lower, 0xdd));
}

/// total[4·i + j] = `rows` rows of a times 4 rows of b + 128.
template <int rows>
inline void dot(const int8_t *a, const int8_t *b0, const int8_t *b1, const int8_t *b2, const int8_t *b3, uint64_t k, uint64_t count,
                     int32_t (&total)[16]) {
  const __m512i sign = _mm512_set1_epi8(int8_t(0x80));
  __m512i sum[4][4];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) sum[i / 4][i % 4] = _mm512_setzero_si512();
  const auto step = [&](uint64_t at, __mmask64 bytes) __attribute__((always_inline)) {
    const __m512i u0 = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, b0 + at), sign);
    const __m512i u1 = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, b1 + at), sign);
    const __m512i u2 = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, b2 + at), sign);
    const __m512i u3 = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, b3 + at), sign);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
      // Bytes past the end are 0 in a, whatever stands in b.
      const __m512i value = _mm512_maskz_loadu_epi8(bytes, a + uint64_t(i) * k + at);
      sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], u0, value);
      sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], u1, value);
      sum[i][2] = _mm512_dpbusd_epi32(sum[i][2], u2, value);
      sum[i][3] = _mm512_dpbusd_epi32(sum[i][3], u3, value);
    }
  };
  const uint64_t whole = count / 64 * 64;
  for (uint64_t at = 0; at < whole; at += 64) step(at, ~__mmask64(0));
  if (whole < count) step(whole, first_bytes(count - whole));
  _mm512_storeu_si512(total, sum_lanes(sum));
}

template <hb_dtype dtype>
int64_t row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  int64_t fault = -1;
  const bool marks = threshold > 0;
  const __m512 limit = _mm512_set1_ps(threshold);
  for (uint64_t row = begin; row < end; row++) {
    __m512i largest = _mm512_setzero_si512(), of_all = largest;
    const auto add16 = [&](__m512 values, uint64_t i, __mmask16 lanes) __attribute__((always_inline)) {
      const __m512i magnitude = magnitude_bits(values);
      of_all = _mm512_max_epu32(of_all, magnitude);
      if (!marks) return;
      const __mmask16 outlier = _mm512_mask_cmp_ps_mask(lanes, _mm512_castsi512_ps(magnitude), limit, _CMP_GE_OQ);
      largest = _mm512_mask_max_epu32(largest, __mmask16(~outlier), largest, magnitude);
      if (outlier) _mm_mask_storeu_epi8(mask + i, outlier, _mm_set1_epi8(1));
    };
    const uint64_t whole = k / 16 * 16;
    for (uint64_t i = 0; i < whole; i += 16) add16(load16<dtype>(x.data, row * k + i), i, 0xffff);
    if (whole < k) add16(load_lanes<dtype>(x.data, row * k + whole, first_lanes(k - whole)), whole, first_lanes(k - whole));
    const uint32_t bits = _mm512_reduce_max_epu32(of_all);
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.int8_row_stats(x, k, threshold, look, row, row + 1, stats, mask);
      if (fault < 0) fault = found;
      continue;
    }
    stats[row] = marks ? float_of_bits(_mm512_reduce_max_epu32(largest)) : float_of_bits(bits);
  }
  return fault;
}

template <hb_dtype dtype>
void row_quant(const void *x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  const __m512 most = _mm512_set1_ps(127), least = _mm512_set1_ps(-127);
  const __m512 limit = _mm512_set1_ps(threshold > 0 ? threshold : float_of_bits(infinity_bits + 1));
  for (uint64_t row = begin; row < end; row++) {
    const float absmax = stats[row];
    const float scale = 1.0f / absmax * 127.0f;
    const __m512 factor = _mm512_set1_ps(scale);
    const auto codes16 = [&](uint64_t i, __mmask16 lanes) __attribute__((always_inline)) {
      const __m512 value = load_lanes<dtype>(x, row * k + i, lanes);
      const __m512 scaled = _mm512_mul_ps(value, factor);
      // A limit that is NaN marks nothing. 0 · Infinity, in rows of subnormal numbers, is 0.
      __mmask16 kept = lanes & ~_mm512_cmp_ps_mask(_mm512_abs_ps(value), limit, _CMP_GE_OQ) & _mm512_cmp_ps_mask(scaled, scaled, _CMP_ORD_Q);
      if (mask) kept &= ~_mm_mask_cmpeq_epi8_mask(lanes, _mm_maskz_loadu_epi8(lanes, mask + i), _mm_set1_epi8(1));
      if (absmax == 0) kept = 0;
      return _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(kept, _mm512_max_ps(_mm512_min_ps(scaled, most), least)));
    };
    // No masked store of bytes: AMD runs it in microcode, ten times slower than the rest of the loop.
    int8_t *const to = q + row * k;
    const uint64_t whole = k / 16 * 16;
    for (uint64_t i = 0; i < whole; i += 16) _mm_storeu_si128(reinterpret_cast<__m128i *>(to + i), codes16(i, 0xffff));
    if (whole < k) {
      int8_t last[16];
      _mm_storeu_si128(reinterpret_cast<__m128i *>(last), codes16(whole, first_lanes(k - whole)));
      memcpy(to + whole, last, k - whole);
    }
  }
}

}  // namespace

int64_t int8_row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  if (x.dtype == HB_FLOAT32) return row_stats<HB_FLOAT32>(x, k, threshold, look, begin, end, stats, mask);
  if (x.dtype == HB_FLOAT16) return row_stats<HB_FLOAT16>(x, k, threshold, look, begin, end, stats, mask);
  return row_stats<HB_BFLOAT16>(x, k, threshold, look, begin, end, stats, mask);
}

void int8_row_quant(Floats x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  if (x.dtype == HB_FLOAT32) row_quant<HB_FLOAT32>(x.data, k, threshold, stats, mask, begin, end, q);
  else if (x.dtype == HB_FLOAT16) row_quant<HB_FLOAT16>(x.data, k, threshold, stats, mask, begin, end, q);
  else row_quant<HB_BFLOAT16>(x.data, k, threshold, stats, mask, begin, end, q);
}

namespace {

/// A few rows of a: 16 rows of b, 2 KiB of each, stay in L1 while they pass by.
void multiply_in_place(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  for (uint64_t column = 0; column < n; column += product_rows) {
    for (uint64_t first = 0; first < k || first == 0; first += product_k) {
      const uint64_t count = k - first < product_k ? k - first : product_k;
      for (uint64_t row = 0; row < m; row += 4) {
        const uint64_t rows = m - row < 4 ? m - row : 4;
        const int8_t *const as = a + row * k + first;
        int32_t start[4] = {};
        for (uint64_t i = 0; i < rows; i++) start[i] = start_of(as + i * k, count);
        for (uint64_t part = column; part < n && part < column + product_rows; part += 4) {
          // A last group of fewer rows of b repeats its last one.
          const uint64_t last = n - part < 4 ? n - part - 1 : 3;
          const int8_t *const b0 = b + part * k + first, *const b1 = b0 + (last < 1 ? last : 1) * k, *const b2 = b0 + (last < 2 ? last : 2) * k,
                             *const b3 = b0 + last * k;
          alignas(64) int32_t total[16];
          switch (rows) {
            case 4: dot<4>(as, b0, b1, b2, b3, k, count, total); break;
            case 3: dot<3>(as, b0, b1, b2, b3, k, count, total); break;
            case 2: dot<2>(as, b0, b1, b2, b3, k, count, total); break;
            default: dot<1>(as, b0, b1, b2, b3, k, count, total);
          }
          for (uint64_t i = 0; i < rows; i++) {
            int32_t *const to = out + (row + i) * stride + part;
            for (uint64_t j = 0; j <= last; j++) {
              const uint32_t sum = uint32_t(total[4 * i + j]) + uint32_t(start[i]);
              to[j] = int32_t(first == 0 ? sum : uint32_t(to[j]) + sum);
            }
          }
        }
      }
    }
  }
}

/// Rows of a from which repacking a piece of b pays, and what of b is repacked at a time: 64 KiB.
constexpr uint64_t least_repacked = 24, repacked_columns = 1024;

/// 16 rows of 64 columns as they stand in a panel of 64 rows.
inline void repack_square(const int8_t *b, uint64_t k, uint8_t *to) {
  const __m512i sign = _mm512_set1_epi8(int8_t(0x80));
  __m512i v[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) v[i] = _mm512_xor_si512(_mm512_loadu_si512(b + uint64_t(i) * k), sign);
  transpose16(v);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + uint64_t(i) * 256, v[i]);
}

/// Columns of 64 rows of b as a panel.
void repack(const int8_t *b, uint64_t k, uint64_t count, uint8_t *to) {
  const uint64_t whole = count / 64 * 64;
  for (uint64_t row = 0; row < 64; row += 16)
    for (uint64_t at = 0; at < whole; at += 64) repack_square(b + row * k + at, k, to + at * 64 + row * 4);
  if (whole < count) pack_panel(b + whole, k, 64, 64, count - whole, to + whole * 64);
}

/// Many rows of a by 64 rows of b.
void multiply_repacked(const int8_t *a, const int8_t *b, uint64_t m, uint64_t k, const int32_t *starts, const Sums &sums) {
  alignas(64) uint8_t panel[64 * repacked_columns];
  for (uint64_t first = 0; first < k || first == 0; first += repacked_columns) {
    const uint64_t count = k - first < repacked_columns ? k - first : repacked_columns;
    repack(b + first, k, count, panel);
    multiply_panel({a + first, k, panel, count}, 64, m, sums, starts, first == 0);
  }
}

}  // namespace

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  constexpr uint64_t band_rows = 1024;
  if (m < least_repacked) return multiply_in_place(a, b, m, n, k, out, stride);
  int32_t starts[band_rows];
  const uint64_t whole = n / 64 * 64;
  for (uint64_t row = 0; row < m; row += band_rows) {
    const uint64_t rows = m - row < band_rows ? m - row : band_rows;
    const int8_t *const as = a + row * k;
    for (uint64_t i = 0; i < rows; i++) starts[i] = start_of(as + i * k, k);
    for (uint64_t column = 0; column < whole; column += 64)
      multiply_repacked(as, b + column * k, rows, k, starts, {out + row * stride + column, stride, 0xffff});
    if (whole < n) multiply_in_place(as, b + whole * k, rows, n - whole, k, out + row * stride + whole, stride);
  }
}

}  // namespace hb::avx512
