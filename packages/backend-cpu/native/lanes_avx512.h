// Sixteen floats that calculate like one, so that arithmetic written for float (optimizer_rule.h, int8_scale.h) is written once: the overloads of
// float32.h and float16.h, and what a loop over arrays needs. Every operation rounds each lane once, as scalar code does.
//
// Internal linkage, see simd_avx512.h.
#pragma once
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

struct Lanes {
  static constexpr uint64_t count = 16;
  /// Lanes that satisfy a condition.
  using Mask = __mmask16;

  __m512 v;
  Lanes() = default;
  Lanes(__m512 values) : v(values) {}
  Lanes(float value) : v(_mm512_set1_ps(value)) {}
  static inline bool all_of(Mask lanes) { return lanes == 0xffff; }

  static inline Lanes load(const float *from) { return _mm512_loadu_ps(from); }
  static inline Lanes of_bytes(const int8_t *from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))));
  }
  static inline Lanes of_integers(const int32_t *from) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(from)); }
  template <hb_dtype dtype>
  static inline Lanes load_as(const void *from, uint64_t at) {
    return load16<dtype>(from, at);
  }
  inline void store(float *to) const { _mm512_storeu_ps(to, v); }
  template <hb_dtype dtype, bool streaming = false>
  inline void store_as(void *to, uint64_t at) const {
    store16<dtype, streaming>(to, at, v);
  }
  /// The squares of the lanes times `factor`, in float64.
  inline void store_squares(double factor, double *to) const {
    const __m512d low = _mm512_mul_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_set1_pd(factor));
    const __m512d high = _mm512_mul_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)), _mm512_set1_pd(factor));
    _mm512_storeu_pd(to, _mm512_mul_pd(low, low));
    _mm512_storeu_pd(to + 8, _mm512_mul_pd(high, high));
  }
};

inline Lanes operator+(Lanes a, Lanes b) { return _mm512_add_ps(a.v, b.v); }
inline Lanes operator-(Lanes a, Lanes b) { return _mm512_sub_ps(a.v, b.v); }
inline Lanes operator*(Lanes a, Lanes b) { return _mm512_mul_ps(a.v, b.v); }
inline Lanes operator/(Lanes a, Lanes b) { return _mm512_div_ps(a.v, b.v); }
inline Lanes fused_multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
inline Lanes square_root(Lanes a) { return _mm512_sqrt_ps(a.v); }
inline Lanes through_float16(Lanes a) { return _mm512_cvtph_ps(to_halves<HB_FLOAT16>(a.v)); }

inline Lanes::Mask is_zero(Lanes a) { return _mm512_cmp_ps_mask(a.v, _mm512_setzero_ps(), _CMP_EQ_OQ); }
inline Lanes::Mask is_not_finite(Lanes a) { return _mm512_fpclass_ps_mask(a.v, 0x99); }
inline Lanes select(Lanes::Mask lanes, Lanes chosen, Lanes other) { return _mm512_mask_mov_ps(other.v, lanes, chosen.v); }

inline Lanes sign_of(Lanes a) {
  const __m512 one = _mm512_set1_ps(1), zero = _mm512_setzero_ps();
  const __m512 above = _mm512_mask_mov_ps(a.v, _mm512_cmp_ps_mask(a.v, zero, _CMP_GT_OQ), one);
  return _mm512_mask_mov_ps(above, _mm512_cmp_ps_mask(a.v, zero, _CMP_LT_OQ), _mm512_set1_ps(-1));
}

/// A running maximum of |value|; Infinity and above it NaN stay on top.
struct LargestLanes {
  __m512i bits = _mm512_setzero_si512();

  inline void add(Lanes a) { bits = _mm512_max_epu32(bits, magnitude_bits(a.v)); }
  inline uint32_t largest() const { return _mm512_reduce_max_epu32(bits); }
};

}  // namespace
}  // namespace hb::avx512
