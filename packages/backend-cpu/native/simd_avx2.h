// What the AVX2 kernels share: loads and stores of every float dtype, the 16-entry table.
//
// Everything here has internal linkage on purpose, see simd_avx512.h. Instruction sets: AVX2, FMA, F16C.
#pragma once
#include <immintrin.h>
#include <string.h>

#include "block_reciprocal.h"
#include "avx2.h"

namespace hb::avx2 {
namespace {

// ── Floats of any dtype ──

template <hb_dtype dtype>
inline __m256 load8(const void *data, uint64_t at) {
  if constexpr (dtype == HB_FLOAT32) return _mm256_loadu_ps(static_cast<const float *>(data) + at);
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i *>(static_cast<const uint16_t *>(data) + at));
  if constexpr (dtype == HB_FLOAT16) return _mm256_cvtph_ps(halves);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

inline float load_one(Floats x, uint64_t at) {
  if (x.dtype == HB_FLOAT32) return static_cast<const float *>(x.data)[at];
  const uint16_t half = static_cast<const uint16_t *>(x.data)[at];
  if (x.dtype == HB_FLOAT16) return _cvtsh_ss(half);
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(int(uint32_t(half) << 16))));
}

/// Nearest even; NaN keeps its upper payload, made quiet.
inline __m128i to_bfloat16(__m256 values) {
  const __m256i bits = _mm256_castps_si256(values);
  const __m256i upper = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
  const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
  const __m256i words = _mm256_blendv_epi8(rounded, quiet, nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

/// Eight values rounded to a 16-bit dtype.
template <hb_dtype dtype>
inline __m128i to_halves(__m256 values) {
  if constexpr (dtype == HB_FLOAT16) return _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return to_bfloat16(values);
}

template <hb_dtype dtype, bool streaming>
inline void store8(void *data, uint64_t at, __m256 values) {
  if constexpr (dtype == HB_FLOAT32) {
    float *const to = static_cast<float *>(data) + at;
    if constexpr (streaming) _mm256_stream_ps(to, values);
    else _mm256_storeu_ps(to, values);
  } else {
    __m128i *const to = reinterpret_cast<__m128i *>(static_cast<uint16_t *>(data) + at);
    if constexpr (streaming) _mm_stream_si128(to, to_halves<dtype>(values));
    else _mm_storeu_si128(to, to_halves<dtype>(values));
  }
}

inline void store_one(MutableFloats out, uint64_t at, float value) {
  if (out.dtype == HB_FLOAT32) {
    static_cast<float *>(out.data)[at] = value;
    return;
  }
  const __m256 lane = _mm256_set1_ps(value);
  const __m128i half = out.dtype == HB_FLOAT16 ? to_halves<HB_FLOAT16>(lane) : to_halves<HB_BFLOAT16>(lane);
  static_cast<uint16_t *>(out.data)[at] = uint16_t(_mm_extract_epi16(half, 0));
}

// ── Magnitudes ──

/// |value| as an integer: the order of the floats, Infinity and NaN on top.
inline __m256i magnitude_bits(__m256 values) { return _mm256_and_si256(_mm256_castps_si256(values), _mm256_set1_epi32(0x7fffffff)); }
constexpr uint32_t infinity_bits = 0x7f800000;

inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t largest_lane(__m256i values) {
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return uint32_t(_mm_cvtsi128_si32(m));
}

/// The largest magnitude of a multiple of 16 values.
template <hb_dtype dtype>
inline uint32_t largest_of(const void *x, uint64_t first, uint64_t count) {
  __m256i m0 = _mm256_setzero_si256(), m1 = m0;
  for (uint64_t i = first; i < first + count; i += 16) {
    m0 = _mm256_max_epu32(m0, magnitude_bits(load8<dtype>(x, i)));
    m1 = _mm256_max_epu32(m1, magnitude_bits(load8<dtype>(x, i + 8)));
  }
  return largest_lane(_mm256_max_epu32(m0, m1));
}

// ── Streaming ──

constexpr uint64_t streaming_bytes = uint64_t(32) << 20;
inline bool is_aligned(const void *data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }
inline uint64_t bytes_of(hb_dtype dtype) { return dtype == HB_FLOAT32 ? 4 : 2; }

// ── Codes ──

/// The lowest bytes of 32 dwords below 256, in order.
inline __m256i low_bytes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i mixed = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
  return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// ── A table of sixteen floats ──

/// Two halves, each one vpermps; bit 3 of an index, moved to the sign, chooses.
struct Table16 {
  __m256 low, high;
  explicit Table16(const float *code) : low(_mm256_loadu_ps(code)), high(_mm256_loadu_ps(code + 8)) {}
  Table16(__m256 l, __m256 h) : low(l), high(h) {}
  inline Table16 times(float scale) const {
    const __m256 factor = _mm256_set1_ps(scale);
    return {_mm256_mul_ps(low, factor), _mm256_mul_ps(high, factor)};
  }
  /// Eight values from four bytes, high nibble first. Bits above the nibble do no harm.
  inline __m256 decode8(const uint8_t *codes) const {
    int32_t packed;
    memcpy(&packed, codes, sizeof packed);
    return look_up(_mm256_srlv_epi32(_mm256_set1_epi32(packed), _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24)));
  }
  /// The entries of eight indices. Bits above the lowest four do no harm.
  inline __m256 look_up(__m256i index) const {
    const __m256 choose = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index), choose);
  }
};

// ── Sums across lanes ──

/// Lane 4·i + j is the sum of the lanes of s[i][j].
inline __m256 sum_lanes(const __m256 (&s)[2][4]) {
  const __m256 first = _mm256_hadd_ps(_mm256_hadd_ps(s[0][0], s[0][1]), _mm256_hadd_ps(s[0][2], s[0][3]));
  const __m256 second = _mm256_hadd_ps(_mm256_hadd_ps(s[1][0], s[1][1]), _mm256_hadd_ps(s[1][2], s[1][3]));
  return _mm256_add_ps(_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31));
}

}  // namespace
}  // namespace hb::avx2
