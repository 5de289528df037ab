// 8-bit codes to floats: fr(code · absmax), plus an offset. The table of 1 KiB lies in L1; values are fetched one by one and multiplied four at a time.
// Registers: values 2, scale 1, offset 1.
#include "simd_neon.h"

namespace hb::neon {
namespace {

/// Four values of the lowest bytes of `codes`.
inline float32x4_t look_up4(const float *code, uint64_t codes) {
  float32x4_t values = vld1q_dup_f32(code + (codes & 255));
  values = vld1q_lane_f32(code + (codes >> 8 & 255), values, 1);
  values = vld1q_lane_f32(code + (codes >> 16 & 255), values, 2);
  return vld1q_lane_f32(code + (codes >> 24 & 255), values, 3);
}

template <hb_dtype dtype, bool has_offset>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t block_size, float offset, uint64_t begin, uint64_t end, void *out) {
  const float32x4_t addend = vdupq_n_f32(offset);
  for (uint64_t i = begin; i < end;) {
    const uint64_t block = i / block_size, block_end = (block + 1) * block_size, stop = block_end < end ? block_end : end;
    const float32x4_t scale = vdupq_n_f32(absmax[block]);
    for (; i + 8 <= stop; i += 8) {
      uint64_t eight;
      memcpy(&eight, codes + i, sizeof eight);
      const float32x4_t first = vmulq_f32(look_up4(code, eight), scale), second = vmulq_f32(look_up4(code, eight >> 32), scale);
      store4<dtype>(out, i, has_offset ? vaddq_f32(first, addend) : first);
      store4<dtype>(out, i + 4, has_offset ? vaddq_f32(second, addend) : second);
    }
    for (; i < stop; i++) {
      const float value = code[codes[i]] * absmax[block];
      store_one({out, dtype}, i, has_offset ? value + offset : value);
    }
  }
}

template <hb_dtype dtype>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t block_size, float offset, uint64_t begin, uint64_t end, void *out) {
  // Adding 0 would turn −0 into +0.
  if (offset == 0) decode<dtype, false>(codes, absmax, code, block_size, offset, begin, end, out);
  else decode<dtype, true>(codes, absmax, code, block_size, offset, begin, end, out);
}

}  // namespace

void dequantize_blockwise(const uint8_t *codes, const float *absmax, const float *code, uint64_t, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
                          MutableFloats out) {
  if (out.dtype == HB_FLOAT32) decode<HB_FLOAT32>(codes, absmax, code, block_size, offset, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) decode<HB_FLOAT16>(codes, absmax, code, block_size, offset, begin, end, out.data);
  else decode<HB_BFLOAT16>(codes, absmax, code, block_size, offset, begin, end, out.data);
}

}  // namespace hb::neon
