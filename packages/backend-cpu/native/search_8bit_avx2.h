// The code of a scaled value in any sorted 8-bit map: a branchless binary search of eight steps; 32 values go down together, so that the gathers of one
// hide behind the others'. The first three steps have their seven keys in registers. Registers: values 4, codes 4, keys 1 + 1.
#pragma once
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

class Search8 {
 public:
  /// False when the map cannot be searched.
  bool make(const Map8 &map) {
    const float infinity = float_of_bits(infinity_bits);
    for (int i = 0; i < 255; i++) {
      const float bound = map.bounds[i];
      if (bound != bound) return false;
      // Clamping to [−1, 1] is folded in.
      bounds_[i] = bound >= 1 ? infinity : bound < -1 ? -infinity : bound;
    }
    bounds_[255] = infinity;
    return true;
  }

  /// The codes of 32 values, finite and of a magnitude below 2.
  inline __m256i codes_of(__m256 s0, __m256 s1, __m256 s2, __m256 s3) const {
    const __m256 keys = _mm256_setr_ps(bounds_[31], bounds_[63], bounds_[95], bounds_[127], bounds_[159], bounds_[191], bounds_[223], bounds_[255]);
    __m256i n0 = first_steps(s0, keys), n1 = first_steps(s1, keys), n2 = first_steps(s2, keys), n3 = first_steps(s3, keys);
#pragma GCC unroll 5
    for (int width = 16; width > 0; width /= 2) {
      const float *const middle = bounds_ + width - 1;
      n0 = turn(n0, s0, _mm256_i32gather_ps(middle, n0, 4), width);
      n1 = turn(n1, s1, _mm256_i32gather_ps(middle, n1, 4), width);
      n2 = turn(n2, s2, _mm256_i32gather_ps(middle, n2, 4), width);
      n3 = turn(n3, s3, _mm256_i32gather_ps(middle, n3, 4), width);
    }
    return low_bytes(n0, n1, n2, n3);
  }

 private:
  /// `low` plus `width` where the value is above its key.
  static inline __m256i turn(__m256i low, __m256 s, __m256 key, int width) {
    const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(s, key, _CMP_GT_OQ));
    return _mm256_add_epi32(low, _mm256_and_si256(above, _mm256_set1_epi32(width)));
  }

  /// In units of 32 codes: key j is bound 32·j + 31, so that a step asks for the key before its middle.
  static inline __m256i first_steps(__m256 s, __m256 keys) {
    __m256i low = turn(_mm256_setzero_si256(), s, _mm256_permutevar8x32_ps(keys, _mm256_set1_epi32(3)), 4);
    low = turn(low, s, _mm256_permutevar8x32_ps(keys, _mm256_add_epi32(low, _mm256_set1_epi32(1))), 2);
    low = turn(low, s, _mm256_permutevar8x32_ps(keys, low), 1);
    return _mm256_slli_epi32(low, 5);
  }

  float bounds_[256];
};

}  // namespace
}  // namespace hb::avx2
