// Floats to 8-bit codes, exact for every sorted map: a branchless binary search of eight steps; 32 values go down together, so that the gathers of one
// hide behind the others'. The first three steps have their seven keys in registers. Registers: values 4, codes 4, keys 1 + 1.
#include "full_blocks.h"
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

bool fold_bounds(const Map8 &map, float (&bounds)[256]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 255; i++) {
    const float bound = map.bounds[i];
    if (bound != bound) return false;
    bounds[i] = bound >= 1 ? infinity : bound < -1 ? -infinity : bound;
  }
  bounds[255] = infinity;
  return true;
}

/// `low` plus `width` where the value is above its key.
inline __m256i turn(__m256i low, __m256 s, __m256 key, int width) {
  const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(s, key, _CMP_GT_OQ));
  return _mm256_add_epi32(low, _mm256_and_si256(above, _mm256_set1_epi32(width)));
}

/// In units of 32 codes: key j is bound 32·j + 31, so that a step asks for the key before its middle.
inline __m256i first_steps(__m256 s, __m256 keys) {
  __m256i low = turn(_mm256_setzero_si256(), s, _mm256_permutevar8x32_ps(keys, _mm256_set1_epi32(3)), 4);
  low = turn(low, s, _mm256_permutevar8x32_ps(keys, _mm256_add_epi32(low, _mm256_set1_epi32(1))), 2);
  low = turn(low, s, _mm256_permutevar8x32_ps(keys, low), 1);
  return _mm256_slli_epi32(low, 5);
}

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Map8 &map, const float (&bounds)[256], uint64_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  const __m256 keys = _mm256_setr_ps(bounds[31], bounds[63], bounds[95], bounds[127], bounds[159], bounds[191], bounds[223], bounds[255]);
  int64_t fault = -1;
  for (uint64_t block = begin; block < end; block++) {
    const uint64_t first = block * block_size, stop = first + block_size;
    const uint32_t bits = largest_of<dtype>(x.data, first, block_size);
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.quantize_blockwise(x, size, map, block_size, HB_REFERENCE, look, block, block + 1, codes, absmax);
      if (fault < 0) fault = found;
      continue;
    }
    absmax[block] = float_of_bits(bits);
    const __m256 scale = _mm256_set1_ps(block_reciprocal(absmax[block]));
    for (uint64_t i = first; i < stop; i += 32) {
      const __m256 s0 = _mm256_mul_ps(load8<dtype>(x.data, i), scale), s1 = _mm256_mul_ps(load8<dtype>(x.data, i + 8), scale);
      const __m256 s2 = _mm256_mul_ps(load8<dtype>(x.data, i + 16), scale), s3 = _mm256_mul_ps(load8<dtype>(x.data, i + 24), scale);
      __m256i n0 = first_steps(s0, keys), n1 = first_steps(s1, keys), n2 = first_steps(s2, keys), n3 = first_steps(s3, keys);
#pragma GCC unroll 5
      for (int width = 16; width > 0; width /= 2) {
        const float *const middle = bounds + width - 1;
        n0 = turn(n0, s0, _mm256_i32gather_ps(middle, n0, 4), width);
        n1 = turn(n1, s1, _mm256_i32gather_ps(middle, n1, 4), width);
        n2 = turn(n2, s2, _mm256_i32gather_ps(middle, n2, 4), width);
        n3 = turn(n3, s3, _mm256_i32gather_ps(middle, n3, 4), width);
      }
      const __m256i mixed = _mm256_packus_epi16(_mm256_packus_epi32(n0, n1), _mm256_packus_epi32(n2, n3));
      const __m256i ordered = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(codes + i), ordered);
    }
  }
  return fault;
}

}  // namespace

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                           uint8_t *codes, float *absmax) {
  float bounds[256];
  const bool suits = profile == HB_REFERENCE && block_size % 32 == 0 && fold_bounds(map, bounds);
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, map, bounds, block_size, look, first, last, codes, absmax);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, map, bounds, block_size, look, first, last, codes, absmax);
    return quantize<HB_BFLOAT16>(x, size, map, bounds, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_blockwise(x, size, map, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::avx2
