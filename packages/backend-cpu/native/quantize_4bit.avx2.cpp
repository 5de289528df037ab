// Floats to 4-bit codes, exact for every table: 15 compares, whose all-ones results are subtracted from a count, then order[count]. Bounds beyond ±1 carry the
// clamp, as in quantize_4bit.avx512.cpp. Registers: scaled values 4, counts 4; bounds are broadcast from memory.
#include "full_blocks.h"
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

/// False when a bound is not a number.
bool fold_bounds(const float (&from)[15], float (&bounds)[15]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 15; i++) {
    if (from[i] != from[i]) return false;
    bounds[i] = from[i] >= 1 ? infinity : from[i] < -1 ? -infinity : from[i];
  }
  return true;
}

/// 32 scaled values to 16 bytes.
inline __m128i encode(__m256 s0, __m256 s1, __m256 s2, __m256 s3, const float (&bounds)[15], __m256i order) {
  __m256i n0 = _mm256_setzero_si256(), n1 = n0, n2 = n0, n3 = n0;
#pragma GCC unroll 15
  for (int i = 0; i < 15; i++) {
    const __m256 bound = _mm256_broadcast_ss(bounds + i);
    n0 = _mm256_sub_epi32(n0, _mm256_castps_si256(_mm256_cmp_ps(s0, bound, _CMP_GT_OQ)));
    n1 = _mm256_sub_epi32(n1, _mm256_castps_si256(_mm256_cmp_ps(s1, bound, _CMP_GT_OQ)));
    n2 = _mm256_sub_epi32(n2, _mm256_castps_si256(_mm256_cmp_ps(s2, bound, _CMP_GT_OQ)));
    n3 = _mm256_sub_epi32(n3, _mm256_castps_si256(_mm256_cmp_ps(s3, bound, _CMP_GT_OQ)));
  }
  // Packing works inside lanes of 128 bits; the dwords of four bytes are put in order afterwards.
  const __m256i mixed = _mm256_packus_epi16(_mm256_packs_epi32(n0, n1), _mm256_packs_epi32(n2, n3));
  const __m256i count = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_shuffle_epi8(order, count), _mm256_set1_epi16(0x0110));
  return _mm_packus_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const float (&bounds)[15], uint32_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  const __m256i order = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(format.order)));
  int64_t fault = -1;
  for (uint64_t block = begin; block < end; block++) {
    const uint64_t first = block * block_size, stop = first + block_size;
    const uint32_t bits = largest_of<dtype>(x.data, first, block_size);
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.quantize_4bit(x, size, format, block_size, HB_REFERENCE, look, block, block + 1, codes, absmax);
      if (fault < 0) fault = found;
      continue;
    }
    absmax[block] = float_of_bits(bits);
    const __m256 scale = _mm256_set1_ps(block_reciprocal(absmax[block]));
    for (uint64_t i = first; i < stop; i += 32) {
      const __m256 s0 = _mm256_mul_ps(load8<dtype>(x.data, i), scale), s1 = _mm256_mul_ps(load8<dtype>(x.data, i + 8), scale);
      const __m256 s2 = _mm256_mul_ps(load8<dtype>(x.data, i + 16), scale), s3 = _mm256_mul_ps(load8<dtype>(x.data, i + 24), scale);
      _mm_storeu_si128(reinterpret_cast<__m128i *>(codes + i / 2), encode(s0, s1, s2, s3, bounds, order));
    }
  }
  return fault;
}

}  // namespace

int64_t quantize_4bit(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                      uint8_t *codes, float *absmax) {
  float bounds[15];
  const bool suits = profile == HB_REFERENCE && block_size % 32 == 0 && fold_bounds(format.bounds, bounds);
  // A partial last block divides and raises its absmax.
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, format, bounds, block_size, look, first, last, codes, absmax);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, format, bounds, block_size, look, first, last, codes, absmax);
    return quantize<HB_BFLOAT16>(x, size, format, bounds, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_4bit(x, size, format, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::avx2
