// Floats to 4-bit codes, exact for every table: code = order[number of bounds strictly below x · (1/absmax)].
//
// The number is looked up, not searched. bucket = trunc(fma(s, 15.9, 15.95)) cuts [−1, 1] into 32 intervals and is monotone in s, so bounds
// of lower buckets are below s, bounds of higher ones are not, and only those of s's own bucket are compared: base[bucket] + (s > bound). NF4 and
// AF4 have one bound per bucket, FP4 three around zero; a table with more in one bucket goes to the scalar kernel.
// Clamping s to [−1, 1] is folded into the bounds: one >= 1 is never below a clamped value, one < −1 always is.
//
// Registers: values 4, buckets 4, bounds 2 per comparison (2…6), base 1, order 1, packing constants 3, scale and offset 2.
#include "full_blocks.h"
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

constexpr int most_bounds_in_bucket = 3;

struct Buckets {
  alignas(64) float bound[most_bounds_in_bucket][32];
  /// Bounds in lower buckets.
  uint8_t base[32];
  /// Of the fullest bucket; 0 when this table cannot be bucketed.
  int depth;
};

constexpr float bucket_scale = 15.9f, bucket_offset = 15.95f;

/// The bucket by the instructions of the kernel: the table is right whatever the rounding of these two.
inline __m512i buckets_of(__m512 scaled) {
  return _mm512_cvttps_epi32(_mm512_fmadd_ps(scaled, _mm512_set1_ps(bucket_scale), _mm512_set1_ps(bucket_offset)));
}

Buckets make_buckets(const float (&bounds)[15]) {
  const float infinity = float_of_bits(infinity_bits);
  Buckets b;
  uint8_t count[32] = {}, certain = 0;
  for (auto &level : b.bound)
    for (float &bound : level) bound = infinity;
  b.depth = 1;
  for (const float bound : bounds) {
    if (!(bound >= -1)) {
      if (bound != bound) b.depth = most_bounds_in_bucket + 1;
      certain++;
      continue;
    }
    if (bound >= 1) continue;
    const int bucket = _mm512_cvtsi512_si32(buckets_of(_mm512_set1_ps(bound)));
    const int level = count[bucket]++;
    if (level < most_bounds_in_bucket) b.bound[level][bucket] = bound;
    if (level + 1 > b.depth) b.depth = level + 1;
  }
  if (b.depth > most_bounds_in_bucket) b.depth = 0;
  for (int i = 0; i < 32; i++) {
    b.base[i] = certain;
    certain = uint8_t(certain + count[i]);
  }
  return b;
}

template <int depth>
struct Encoder {
  __m512 low[depth], high[depth];
  __m512i base, order;
  LowBytes low_bytes;

  Encoder(const Buckets &b, const uint8_t (&order16)[16]) {
    for (int level = 0; level < depth; level++) {
      low[level] = _mm512_load_ps(b.bound[level]);
      high[level] = _mm512_load_ps(b.bound[level] + 16);
    }
    base = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(b.base)));
    order = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(order16)));
  }

  inline __mmask16 above(__m512 s, __m512i bucket, int level) const {
    return _mm512_cmp_ps_mask(s, _mm512_permutex2var_ps(low[level], bucket, high[level]), _CMP_GT_OQ);
  }

  /// 64 scaled values to 32 bytes.
  inline __m256i encode(__m512 s0, __m512 s1, __m512 s2, __m512 s3) const {
    const __m512i b0 = buckets_of(s0), b1 = buckets_of(s1), b2 = buckets_of(s2), b3 = buckets_of(s3);
    const __m512i bucket = low_bytes.of(b0, b1, b2, b3);
    __m512i count = _mm512_permutexvar_epi8(bucket, base);
    const __m512i one = _mm512_set1_epi8(1);
#pragma GCC unroll 3
    for (int level = 0; level < depth; level++) {
      const __mmask64 mask = join_masks(above(s0, b0, level), above(s1, b1, level), above(s2, b2, level), above(s3, b3, level));
      count = _mm512_mask_add_epi8(count, mask, count, one);
    }
    const __m512i codes = _mm512_shuffle_epi8(order, count);
    // first·16 + second, byte pair by byte pair.
    return _mm512_cvtepi16_epi8(_mm512_maddubs_epi16(codes, _mm512_set1_epi16(0x0110)));
  }
};

/// Lines to fetch ahead of the block at hand; the pass over it is too short for the hardware to run far ahead.
constexpr uint64_t prefetch_bytes = 8192;

template <hb_dtype dtype, int depth>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const Buckets &buckets, uint32_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  const Encoder<depth> encoder(buckets, format.order);
  int64_t fault = -1;
  const auto leave_to_scalar = [&](uint64_t block) {
    const int64_t found = scalar_kernels.quantize_4bit(x, size, format, block_size, HB_REFERENCE, look, block, block + 1, codes, absmax);
    if (fault < 0) fault = found;
  };
  constexpr uint64_t element = dtype == HB_FLOAT32 ? 4 : 2;
  const char *const bytes = static_cast<const char *>(x.data);
  for (uint64_t block = begin; block < end; block++) {
    const uint64_t first = block * block_size;
    if (block_size == 64) {
      const __m512 v0 = load16<dtype>(x.data, first), v1 = load16<dtype>(x.data, first + 16);
      const __m512 v2 = load16<dtype>(x.data, first + 32), v3 = load16<dtype>(x.data, first + 48);
      for (uint64_t line = 0; line < 64 * element; line += 64) _mm_prefetch(bytes + first * element + prefetch_bytes + line, _MM_HINT_T0);
      const __m512i largest = _mm512_max_epu32(_mm512_max_epu32(magnitude_bits(v0), magnitude_bits(v1)),
                                               _mm512_max_epu32(magnitude_bits(v2), magnitude_bits(v3)));
      const uint32_t bits = _mm512_reduce_max_epu32(largest);
      if (bits >= infinity_bits) {
        leave_to_scalar(block);
        continue;
      }
      absmax[block] = float_of_bits(bits);
      const __m512 scale = _mm512_set1_ps(block_reciprocal(absmax[block]));
      const __m256i packed =
          encoder.encode(_mm512_mul_ps(v0, scale), _mm512_mul_ps(v1, scale), _mm512_mul_ps(v2, scale), _mm512_mul_ps(v3, scale));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(codes + first / 2), packed);
      continue;
    }
    const uint32_t bits = _mm512_reduce_max_epu32(largest_of<dtype>(x.data, first, block_size));
    if (bits >= infinity_bits) {
      leave_to_scalar(block);
      continue;
    }
    absmax[block] = float_of_bits(bits);
    const __m512 scale = _mm512_set1_ps(block_reciprocal(absmax[block]));
    const uint64_t stop = first + block_size;
    uint64_t i = first;
    for (; i + 64 <= stop; i += 64) {
      const __m256i packed = encoder.encode(_mm512_mul_ps(load16<dtype>(x.data, i), scale), _mm512_mul_ps(load16<dtype>(x.data, i + 16), scale),
                                            _mm512_mul_ps(load16<dtype>(x.data, i + 32), scale), _mm512_mul_ps(load16<dtype>(x.data, i + 48), scale));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(codes + i / 2), packed);
    }
    if (i < stop) {
      const __m512 s0 = _mm512_mul_ps(load16<dtype>(x.data, i), scale), s1 = _mm512_mul_ps(load16<dtype>(x.data, i + 16), scale);
      _mm_storeu_si128(reinterpret_cast<__m128i *>(codes + i / 2), _mm256_castsi256_si128(encoder.encode(s0, s1, s0, s1)));
    }
  }
  return fault;
}

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const Buckets &buckets, uint32_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  switch (buckets.depth) {
    case 1: return quantize<dtype, 1>(x, size, format, buckets, block_size, look, begin, end, codes, absmax);
    case 2: return quantize<dtype, 2>(x, size, format, buckets, block_size, look, begin, end, codes, absmax);
    default: return quantize<dtype, 3>(x, size, format, buckets, block_size, look, begin, end, codes, absmax);
  }
}

}  // namespace

int64_t quantize_4bit(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                      uint8_t *codes, float *absmax) {
  const Buckets buckets = make_buckets(format.bounds);
  const bool suits = profile == HB_REFERENCE && block_size % 32 == 0 && buckets.depth > 0;
  // A partial last block divides and raises its absmax.
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, format, buckets, block_size, look, first, last, codes, absmax);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, format, buckets, block_size, look, first, last, codes, absmax);
    return quantize<HB_BFLOAT16>(x, size, format, buckets, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_4bit(x, size, format, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::avx512
