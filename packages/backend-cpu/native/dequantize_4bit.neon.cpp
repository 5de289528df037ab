// 4-bit codes to floats. f32: four planes of bytes (simd_neon.h), times absmax. 16-bit dtypes: the scaled table is rounded once and split into planes of
// low and high bytes; two tbl look up 16 codes, zips join them. Registers: planes 4, indices 2, values 8, scale 1.
#include "simd_neon.h"

namespace hb::neon {
namespace {

void to_float32(const uint8_t *codes, const float *absmax, const Table16 &table, uint32_t block_size, uint64_t begin, uint64_t end, float *out) {
  for (uint64_t block = begin; block < end; block++) {
    const float32x4_t scale = vdupq_n_f32(absmax[block]);
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 16) table.decode16(codes + i / 2, scale, out + i);
  }
}

/// Eight values of the table, scaled and rounded.
template <hb_dtype dtype>
inline uint8x16_t words8(const float *code, float scale) {
  const uint16x4_t first = to_halves<dtype>(vmulq_n_f32(vld1q_f32(code), scale)), second = to_halves<dtype>(vmulq_n_f32(vld1q_f32(code + 4), scale));
  return vreinterpretq_u8_u16(vcombine_u16(first, second));
}

template <hb_dtype dtype>
void to_16_bits(const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, uint64_t begin, uint64_t end, uint16_t *out) {
  for (uint64_t block = begin; block < end; block++) {
    const uint8x16_t words0 = words8<dtype>(code, absmax[block]), words1 = words8<dtype>(code + 8, absmax[block]);
    const uint8x16_t low = vuzp1q_u8(words0, words1), high = vuzp2q_u8(words0, words1);
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 16) {
      const uint8x16_t index = nibbles16(codes + i / 2);
      const uint8x16_t low_bytes = vqtbl1q_u8(low, index), high_bytes = vqtbl1q_u8(high, index);
      vst1q_u16(out + i, vreinterpretq_u16_u8(vzip1q_u8(low_bytes, high_bytes)));
      vst1q_u16(out + i + 8, vreinterpretq_u16_u8(vzip2q_u8(low_bytes, high_bytes)));
    }
  }
}

void decode(const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, uint64_t begin, uint64_t end, MutableFloats out) {
  if (out.dtype == HB_FLOAT32) to_float32(codes, absmax, Table16(code), block_size, begin, end, static_cast<float *>(out.data));
  else if (out.dtype == HB_FLOAT16) to_16_bits<HB_FLOAT16>(codes, absmax, code, block_size, begin, end, static_cast<uint16_t *>(out.data));
  else to_16_bits<HB_BFLOAT16>(codes, absmax, code, block_size, begin, end, static_cast<uint16_t *>(out.data));
}

}  // namespace

void dequantize_4bit(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size, uint64_t begin, uint64_t end,
                     MutableFloats out) {
  const uint64_t full = block_size % 16 == 0 ? size / block_size : 0;
  const uint64_t split = end < full ? end : full;
  if (begin < split) decode(codes, absmax, code, block_size, begin, split, out);
  const uint64_t rest = begin < split ? split : begin;
  if (rest < end) scalar_kernels.dequantize_4bit(codes, absmax, code, size, block_size, rest, end, out);
}

}  // namespace hb::neon
