// Floats to 8-bit codes, exact for every sorted map (encode_8bit_avx2.h). Two passes over a block, the second one in L1.
#include "blocks_8bit.h"
#include "encode_8bit_avx2.h"
#include "full_blocks.h"

namespace hb::avx2 {
namespace {

template <hb_dtype dtype, typename Encoder>
int64_t quantize(const Blocks8 &blocks, const Encoder &encoder, uint64_t begin, uint64_t end) {
  const void *const x = blocks.x.data;
  const uint64_t count = blocks.block_size;
  const auto largest = [&](uint64_t first) { return largest_of<dtype>(x, first, count); };
  return blocks.each(begin, end, largest, [&](uint64_t first, float reciprocal) {
    const __m256 scale = _mm256_set1_ps(reciprocal);
    for (uint64_t i = first; i < first + count; i += 32) {
      const __m256 s0 = _mm256_mul_ps(load8<dtype>(x, i), scale), s1 = _mm256_mul_ps(load8<dtype>(x, i + 8), scale);
      const __m256 s2 = _mm256_mul_ps(load8<dtype>(x, i + 16), scale), s3 = _mm256_mul_ps(load8<dtype>(x, i + 24), scale);
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(blocks.codes + i), encoder.codes_of(s0, s1, s2, s3));
    }
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
  return full_blocks_fast(block_size % 32 == 0 ? size / block_size : 0, begin, end, fast, scalar);
}

}  // namespace hb::avx2
