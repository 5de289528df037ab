// Scaled values to codes of an 8-bit map, exact: 32 at a time, by buckets (buckets_8bit.h), one gather for eight values. Maps that do not fit them are
// searched (search_8bit_avx2.h).
#pragma once
#include "buckets_8bit.h"
#include "search_8bit_avx2.h"

namespace hb::avx2 {
namespace {

/// Registers: constants 4, values 4, codes 4.
struct BucketEncoder8 {
  Buckets8 buckets;

  inline __m256i codes_of_eight(__m256 s) const {
    const __m256i bits = _mm256_castps_si256(s);
    const __m256i order = _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
    const __m256i key = _mm256_srai_epi32(order, 16);
    const __m256i shared = _mm256_max_epi32(_mm256_min_epi32(key, _mm256_set1_epi32(Buckets8::high)), _mm256_set1_epi32(Buckets8::low));
    const __m256i entry = _mm256_i32gather_epi32(buckets.entries(), _mm256_sub_epi32(key, shared), 4);
    const __m256i lower = _mm256_set1_epi32(0xffff);
    const __m256i above = _mm256_cmpgt_epi32(_mm256_and_si256(order, lower), _mm256_and_si256(entry, lower));
    return _mm256_sub_epi32(_mm256_srli_epi32(entry, 16), above);
  }

  /// The codes of 32 values, finite and of a magnitude below 2.
  inline __m256i codes_of(__m256 s0, __m256 s1, __m256 s2, __m256 s3) const {
    return low_bytes(codes_of_eight(s0), codes_of_eight(s1), codes_of_eight(s2), codes_of_eight(s3));
  }
};

/// Calls run(encoder) with one that has codes_of() for this map and profile; false, and no call, when there is none: the scalar kernels know every map.
/// Values must be finite and below 2 in magnitude.
template <typename Run>
inline bool with_encoder_8bit(const Map8 &map, hb_profile profile, const Run &run) {
  BucketEncoder8 encoder;
  if (encoder.buckets.make(map, profile)) {
    run(encoder);
    return true;
  }
  Search8 search;
  if (profile != HB_REFERENCE || !search.make(map)) return false;
  run(search);
  return true;
}

}  // namespace
}  // namespace hb::avx2
