// LLM.int8(): row statistics, row quantization and the integer product, all exact.
//
// Product: vpdpbusd multiplies unsigned by signed bytes. b + 128 is the unsigned side (one xor per load, shared by the rows of a), and 128·Σa comes
// off at the end; both sums wrap like the int32 they are, so the difference is exact. Vectors run along k as the rows lie.
// Registers: sum[4][4] 16, b 4, a 1, sign bits 1.
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

constexpr uint64_t product_k = 2048;
constexpr uint64_t product_rows = 16;

inline __mmask64 first_bytes(uint64_t count) { return count >= 64 ? ~__mmask64(0) : (__mmask64(1) << count) - 1; }

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

/// Adds `rows` rows of a times 4 rows of b + 128 to total[4·i + j].
template <int rows>
inline void multiply(const int8_t *a, const int8_t *b0, const int8_t *b1, const int8_t *b2, const int8_t *b3, uint64_t k, uint64_t count,
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

/// Σa over `count` bytes.
inline int32_t sum_bytes(const int8_t *a, uint64_t count) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  for (uint64_t at = 0; at < count; at += 64)
    sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi8(first_bytes(count - at), a + at));
  return _mm512_reduce_add_epi32(sum);
}

template <hb_dtype dtype>
int64_t row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  int64_t fault = -1;
  const bool marks = threshold > 0;
  const __m512 limit = _mm512_set1_ps(threshold);
  for (uint64_t row = begin; row < end; row++) {
    __m512i largest = _mm512_setzero_si512(), of_all = largest;
    for (uint64_t i = 0; i < k; i += 16) {
      const __mmask16 lanes = first_lanes(k - i);
      const __m512i magnitude = magnitude_bits(load_lanes<dtype>(x.data, row * k + i, lanes));
      of_all = _mm512_max_epu32(of_all, magnitude);
      if (!marks) continue;
      const __mmask16 outlier = _mm512_mask_cmp_ps_mask(lanes, _mm512_castsi512_ps(magnitude), limit, _CMP_GE_OQ);
      largest = _mm512_mask_max_epu32(largest, __mmask16(~outlier), largest, magnitude);
      if (outlier) _mm_mask_storeu_epi8(mask + i, outlier, _mm_set1_epi8(1));
    }
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

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, int32_t *out) {
  // Sixteen rows of b, 2 KiB of each, stay in L1 while the rows of a pass by.
  for (uint64_t column = 0; column < n; column += product_rows) {
    for (uint64_t first = 0; first < k || first == 0; first += product_k) {
      const uint64_t count = k - first < product_k ? k - first : product_k;
      for (uint64_t row = begin; row < end; row += 4) {
        const uint64_t rows = end - row < 4 ? end - row : 4;
        const int8_t *const as = a + row * k + first;
        int32_t correction[4] = {};
        for (uint64_t i = 0; i < rows; i++) correction[i] = int32_t(uint32_t(sum_bytes(as + i * k, count)) << 7);
        for (uint64_t part = column; part < n && part < column + product_rows; part += 4) {
          // A last group of fewer rows of b repeats its last one.
          const uint64_t last = n - part < 4 ? n - part - 1 : 3;
          const int8_t *const b0 = b + part * k + first, *const b1 = b0 + (last < 1 ? last : 1) * k, *const b2 = b0 + (last < 2 ? last : 2) * k,
                             *const b3 = b0 + last * k;
          alignas(64) int32_t total[16];
          switch (rows) {
            case 4: multiply<4>(as, b0, b1, b2, b3, k, count, total); break;
            case 3: multiply<3>(as, b0, b1, b2, b3, k, count, total); break;
            case 2: multiply<2>(as, b0, b1, b2, b3, k, count, total); break;
            default: multiply<1>(as, b0, b1, b2, b3, k, count, total);
          }
          for (uint64_t i = 0; i < rows; i++) {
            int32_t *const to = out + (row + i) * n + part;
            for (uint64_t j = 0; j <= last; j++) {
              const uint32_t sum = uint32_t(total[4 * i + j]) - uint32_t(correction[i]);
              to[j] = int32_t(first == 0 ? sum : uint32_t(to[j]) + sum);
            }
          }
        }
      }
    }
  }
}

}  // namespace hb::avx512
