// Floats to 8-bit codes, exact for every sorted map (encode_8bit_avx512.h). Two passes over a block, the second one in L1.
#include "blocks_8bit.h"
#include "encode_8bit_avx512.h"
#include "full_blocks.h"

namespace hb::avx512 {
namespace {

/// The largest magnitude of any number of values.
template <hb_dtype dtype>
inline uint32_t largest_magnitude(const void *x, uint64_t first, uint64_t count) {
  const uint64_t whole = count / 32 * 32;
  __m512i largest = largest_of<dtype>(x, first, whole);
  for (uint64_t i = whole; i < count; i += 16)
    largest = _mm512_max_epu32(largest, magnitude_bits(load_lanes<dtype>(x, first + i, first_lanes(count - i))));
  return _mm512_reduce_max_epu32(largest);
}

/// The last count < 64 values of a block.
template <hb_dtype dtype, typename Encoder>
[[gnu::noinline]] void encode_tail(const Encoder &encoder, const void *x, uint64_t first, uint64_t count, __m512 scale, uint8_t *codes) {
  const auto scaled = [&](uint64_t at) {
    return _mm512_mul_ps(load_lanes<dtype>(x, first + at, at < count ? first_lanes(count - at) : __mmask16(0)), scale);
  };
  uint8_t all[64];
  _mm512_storeu_si512(all, encoder.codes_of(scaled(0), scaled(16), scaled(32), scaled(48)));
  memcpy(codes + first, all, count);
}

template <hb_dtype dtype, typename Encoder>
int64_t quantize(const Blocks8 &blocks, const Encoder &encoder, uint64_t begin, uint64_t end) {
  const void *const x = blocks.x.data;
  const uint64_t count = blocks.block_size, whole = count / 64 * 64;
  const auto largest = [&](uint64_t first) { return largest_magnitude<dtype>(x, first, count); };
  return blocks.each(begin, end, largest, [&](uint64_t first, float reciprocal) {
    const __m512 scale = _mm512_set1_ps(reciprocal);
    for (uint64_t i = first; i < first + whole; i += 64) {
      const __m512 s0 = _mm512_mul_ps(load16<dtype>(x, i), scale), s1 = _mm512_mul_ps(load16<dtype>(x, i + 16), scale);
      const __m512 s2 = _mm512_mul_ps(load16<dtype>(x, i + 32), scale), s3 = _mm512_mul_ps(load16<dtype>(x, i + 48), scale);
      _mm512_storeu_si512(blocks.codes + i, encoder.codes_of(s0, s1, s2, s3));
    }
    if (whole < count) encode_tail<dtype>(encoder, x, first + whole, count - whole, scale, blocks.codes);
  });
}

}  // namespace

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                           uint8_t *codes, float *absmax) {
  const Blocks8 blocks{x, size, map, block_size, profile, look, codes, absmax};
  const auto scalar = [&](uint64_t first, uint64_t last) { return blocks.scalar(first, last); };
  const auto fast = [&](uint64_t first, uint64_t last) {
    int64_t fault = -1;
    const bool known = with_encoder_8bit(map, profile, [&](const auto &encoder) {
      if (x.dtype == HB_FLOAT32) fault = quantize<HB_FLOAT32>(blocks, encoder, first, last);
      else if (x.dtype == HB_FLOAT16) fault = quantize<HB_FLOAT16>(blocks, encoder, first, last);
      else fault = quantize<HB_BFLOAT16>(blocks, encoder, first, last);
    });
    return known ? fault : scalar(first, last);
  };
  return full_blocks_fast(size / block_size, begin, end, fast, scalar);
}

}  // namespace hb::avx512
