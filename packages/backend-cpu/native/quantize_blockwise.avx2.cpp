// Floats to 8-bit codes, exact for every sorted map (encode_8bit_avx2.h). Two passes over a block, the second one in L1.
#include "encode_8bit_avx2.h"
#include "full_blocks.h"

namespace hb::avx2 {
namespace {

struct Blocks8 {
  Floats x;
  uint64_t size;
  const Map8 &map;
  uint64_t block_size;
  hb_profile profile;
  bool look;
  uint8_t *codes;
  float *absmax;

  int64_t scalar(uint64_t begin, uint64_t end) const {
    return scalar_kernels.quantize_blockwise(x, size, map, block_size, profile, look, begin, end, codes, absmax);
  }
};

/// Values that are not finite have rules of their own; so has an absmax that profile cuda does not raise before it is inverted.
inline bool is_plain(uint32_t absmax_bits, hb_profile profile) {
  return absmax_bits < infinity_bits && (profile != HB_CUDA || float_of_bits(absmax_bits) > 1e-38f);
}

template <hb_dtype dtype, typename Encoder>
int64_t quantize(const Blocks8 &blocks, const Encoder &encoder, uint64_t begin, uint64_t end) {
  const void *const x = blocks.x.data;
  int64_t fault = -1;
  for (uint64_t block = begin; block < end; block++) {
    const uint64_t first = block * blocks.block_size, stop = first + blocks.block_size;
    const uint32_t bits = largest_of<dtype>(x, first, blocks.block_size);
    if (!is_plain(bits, blocks.profile)) {
      const int64_t found = blocks.scalar(block, block + 1);
      if (fault < 0) fault = found;
      continue;
    }
    blocks.absmax[block] = float_of_bits(bits);
    const __m256 scale = _mm256_set1_ps(block_reciprocal(blocks.absmax[block]));
    for (uint64_t i = first; i < stop; i += 32) {
      const __m256 s0 = _mm256_mul_ps(load8<dtype>(x, i), scale), s1 = _mm256_mul_ps(load8<dtype>(x, i + 8), scale);
      const __m256 s2 = _mm256_mul_ps(load8<dtype>(x, i + 16), scale), s3 = _mm256_mul_ps(load8<dtype>(x, i + 24), scale);
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(blocks.codes + i), encoder.codes_of(s0, s1, s2, s3));
    }
  }
  return fault;
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
