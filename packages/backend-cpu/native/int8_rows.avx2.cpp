// LLM.int8() before the product: row statistics and row quantization. Registers: values 1, limits 3, factor 1, maxima 2.
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

/// The first `count` < 8 elements, then zeros.
inline __m256 load_first(Floats x, uint64_t at, uint64_t count) {
  alignas(32) float values[8] = {};
  for (uint64_t i = 0; i < count; i++) values[i] = load_one(x, at + i);
  return _mm256_load_ps(values);
}

/// Nothing reaches a limit that is NaN.
inline __m256 limit_of(float threshold) { return _mm256_set1_ps(threshold > 0 ? threshold : float_of_bits(infinity_bits + 1)); }

template <hb_dtype dtype>
int64_t row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  int64_t fault = -1;
  const __m256 limit = limit_of(threshold);
  const uint64_t whole = k / 8 * 8;
  for (uint64_t row = begin; row < end; row++) {
    __m256i kept = _mm256_setzero_si256(), of_all = kept;
    const auto add8 = [&](__m256 values, uint64_t i) __attribute__((always_inline)) {
      const __m256i magnitude = magnitude_bits(values);
      const __m256 outlier = _mm256_cmp_ps(_mm256_castsi256_ps(magnitude), limit, _CMP_GE_OQ);
      of_all = _mm256_max_epu32(of_all, magnitude);
      kept = _mm256_max_epu32(kept, _mm256_andnot_si256(_mm256_castps_si256(outlier), magnitude));
      for (uint32_t lanes = uint32_t(_mm256_movemask_ps(outlier)); lanes; lanes &= lanes - 1) mask[i + uint64_t(__builtin_ctz(lanes))] = 1;
    };
    for (uint64_t i = 0; i < whole; i += 8) add8(load8<dtype>(x.data, row * k + i), i);
    if (whole < k) add8(load_first(x, row * k + whole, k - whole), whole);
    if (largest_lane(of_all) >= infinity_bits) {
      const int64_t found = scalar_kernels.int8_row_stats(x, k, threshold, look, row, row + 1, stats, mask);
      if (fault < 0) fault = found;
      continue;
    }
    stats[row] = float_of_bits(largest_lane(kept));
  }
  return fault;
}

template <hb_dtype dtype>
void row_quant(Floats x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  const __m256 most = _mm256_set1_ps(127), least = _mm256_set1_ps(-127), limit = limit_of(threshold);
  const uint64_t whole = k / 8 * 8;
  for (uint64_t row = begin; row < end; row++) {
    int8_t *const to = q + row * k;
    if (stats[row] == 0) {
      memset(to, 0, k);
      continue;
    }
    const __m256 factor = _mm256_set1_ps(1.0f / stats[row] * 127.0f);
    const auto codes8 = [&](__m256 value, const uint8_t *marks) __attribute__((always_inline)) {
      const __m256 scaled = _mm256_mul_ps(value, factor);
      const __m256 outlier = _mm256_cmp_ps(_mm256_castsi256_ps(magnitude_bits(value)), limit, _CMP_GE_OQ);
      // 0 · Infinity, in rows of subnormal numbers, is 0.
      __m256 dropped = _mm256_or_ps(outlier, _mm256_cmp_ps(scaled, scaled, _CMP_UNORD_Q));
      if (marks) {
        const __m256i mark = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(marks)));
        dropped = _mm256_or_ps(dropped, _mm256_castsi256_ps(_mm256_cmpeq_epi32(mark, _mm256_set1_epi32(1))));
      }
      const __m256i rounded = _mm256_cvtps_epi32(_mm256_andnot_ps(dropped, _mm256_max_ps(_mm256_min_ps(scaled, most), least)));
      const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
      return _mm_packs_epi16(words, words);
    };
    for (uint64_t i = 0; i < whole; i += 8)
      _mm_storel_epi64(reinterpret_cast<__m128i *>(to + i), codes8(load8<dtype>(x.data, row * k + i), mask ? mask + i : nullptr));
    if (whole == k) continue;
    uint8_t marks[8] = {}, codes[8];
    if (mask) memcpy(marks, mask + whole, k - whole);
    _mm_storel_epi64(reinterpret_cast<__m128i *>(codes), codes8(load_first(x, row * k + whole, k - whole), marks));
    memcpy(to + whole, codes, k - whole);
  }
}

}  // namespace

int64_t int8_row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  if (x.dtype == HB_FLOAT32) return row_stats<HB_FLOAT32>(x, k, threshold, look, begin, end, stats, mask);
  if (x.dtype == HB_FLOAT16) return row_stats<HB_FLOAT16>(x, k, threshold, look, begin, end, stats, mask);
  return row_stats<HB_BFLOAT16>(x, k, threshold, look, begin, end, stats, mask);
}

void int8_row_quant(Floats x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  if (x.dtype == HB_FLOAT32) row_quant<HB_FLOAT32>(x, k, threshold, stats, mask, begin, end, q);
  else if (x.dtype == HB_FLOAT16) row_quant<HB_FLOAT16>(x, k, threshold, stats, mask, begin, end, q);
  else row_quant<HB_BFLOAT16>(x, k, threshold, stats, mask, begin, end, q);
}

}  // namespace hb::avx2
