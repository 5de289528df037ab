// Eight floats that calculate like one, see lanes_avx512.h.
#pragma once
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

struct Lanes {
  static constexpr uint64_t count = 8;
  /// Lanes that satisfy a condition: all bits of them.
  using Mask = __m256;

  __m256 v;
  Lanes() = default;
  Lanes(__m256 values) : v(values) {}
  Lanes(float value) : v(_mm256_set1_ps(value)) {}
  static inline bool all_of(Mask lanes) { return _mm256_movemask_ps(lanes) == 0xff; }

  static inline Lanes load(const float *from) { return _mm256_loadu_ps(from); }
  static inline Lanes of_bytes(const int8_t *from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(from))));
  }
  static inline Lanes of_integers(const int32_t *from) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
  }
  template <hb_dtype dtype>
  static inline Lanes load_as(const void *from, uint64_t at) {
    return load8<dtype>(from, at);
  }
  inline void store(float *to) const { _mm256_storeu_ps(to, v); }
  template <hb_dtype dtype, bool streaming = false>
  inline void store_as(void *to, uint64_t at) const {
    store8<dtype, streaming>(to, at, v);
  }
  /// The squares of the lanes times `factor`, in float64.
  inline void store_squares(double factor, double *to) const {
    const __m256d low = _mm256_mul_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_set1_pd(factor));
    const __m256d high = _mm256_mul_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)), _mm256_set1_pd(factor));
    _mm256_storeu_pd(to, _mm256_mul_pd(low, low));
    _mm256_storeu_pd(to + 4, _mm256_mul_pd(high, high));
  }
};

inline Lanes operator+(Lanes a, Lanes b) { return _mm256_add_ps(a.v, b.v); }
inline Lanes operator-(Lanes a, Lanes b) { return _mm256_sub_ps(a.v, b.v); }
inline Lanes operator*(Lanes a, Lanes b) { return _mm256_mul_ps(a.v, b.v); }
inline Lanes operator/(Lanes a, Lanes b) { return _mm256_div_ps(a.v, b.v); }
inline Lanes fused_multiply_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
inline Lanes square_root(Lanes a) { return _mm256_sqrt_ps(a.v); }
inline Lanes through_float16(Lanes a) { return _mm256_cvtph_ps(to_halves<HB_FLOAT16>(a.v)); }

inline Lanes::Mask is_zero(Lanes a) { return _mm256_cmp_ps(a.v, _mm256_setzero_ps(), _CMP_EQ_OQ); }
inline Lanes::Mask is_not_finite(Lanes a) {
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(magnitude_bits(a.v), _mm256_set1_epi32(int(infinity_bits) - 1)));
}
inline Lanes select(Lanes::Mask lanes, Lanes chosen, Lanes other) { return _mm256_blendv_ps(other.v, chosen.v, lanes); }

inline Lanes sign_of(Lanes a) {
  const __m256 zero = _mm256_setzero_ps();
  const __m256 above = _mm256_blendv_ps(a.v, _mm256_set1_ps(1), _mm256_cmp_ps(a.v, zero, _CMP_GT_OQ));
  return _mm256_blendv_ps(above, _mm256_set1_ps(-1), _mm256_cmp_ps(a.v, zero, _CMP_LT_OQ));
}

/// A running maximum of |value|; Infinity and above it NaN stay on top.
struct LargestLanes {
  __m256i bits = _mm256_setzero_si256();

  inline void add(Lanes a) { bits = _mm256_max_epu32(bits, magnitude_bits(a.v)); }
  inline uint32_t largest() const { return largest_lane(bits); }
};

}  // namespace
}  // namespace hb::avx2
