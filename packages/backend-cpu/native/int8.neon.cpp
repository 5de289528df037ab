// LLM.int8() around the product: row statistics, row quantization, decoding, and the scaled result. Everything rounds as the scalar kernels do.
#include "halfbyte_formats.h"
#include "simd_neon.h"

namespace hb::neon {
namespace {

/// One byte of a pair of comparisons.
inline uint8x8_t to_bytes(uint32x4_t a, uint32x4_t b) { return vmovn_u16(low_halves(a, b)); }

template <hb_dtype dtype>
int64_t row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  int64_t fault = -1;
  // Nothing reaches a limit that is not a number.
  const float limit = threshold > 0 ? threshold : float_of_bits(infinity_bits + 1);
  const float32x4_t limits = vdupq_n_f32(limit);
  for (uint64_t row = begin; row < end; row++) {
    uint32x4_t largest = vdupq_n_u32(0), of_all = largest;
    uint64_t i = 0;
    for (; i + 8 <= k; i += 8) {
      const uint32x4_t m0 = magnitude_bits(load4<dtype>(x.data, row * k + i)), m1 = magnitude_bits(load4<dtype>(x.data, row * k + i + 4));
      const uint32x4_t out0 = vcgeq_f32(vreinterpretq_f32_u32(m0), limits), out1 = vcgeq_f32(vreinterpretq_f32_u32(m1), limits);
      of_all = vmaxq_u32(of_all, vmaxq_u32(m0, m1));
      largest = vmaxq_u32(largest, vmaxq_u32(vbicq_u32(m0, out0), vbicq_u32(m1, out1)));
      if (threshold > 0) vst1_u8(mask + i, vorr_u8(vld1_u8(mask + i), vand_u8(to_bytes(out0, out1), vdup_n_u8(1))));
    }
    uint32_t bits = vmaxvq_u32(of_all), kept = vmaxvq_u32(largest);
    for (; i < k; i++) {
      const float magnitude = __builtin_fabsf(load_one<dtype>(x.data, row * k + i));
      const uint32_t own = vget_lane_u32(vreinterpret_u32_f32(vdup_n_f32(magnitude)), 0);
      bits = own > bits ? own : bits;
      if (magnitude >= limit) mask[i] = 1;
      else kept = own > kept ? own : kept;
    }
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.int8_row_stats(x, k, threshold, look, row, row + 1, stats, mask);
      if (fault < 0) fault = found;
      continue;
    }
    stats[row] = float_of_bits(kept);
  }
  return fault;
}

template <hb_dtype dtype>
void row_quant(const void *x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  const float32x4_t limits = vdupq_n_f32(threshold > 0 ? threshold : float_of_bits(infinity_bits + 1));
  for (uint64_t row = begin; row < end; row++) {
    int8_t *const to = q + row * k;
    if (stats[row] == 0) {
      memset(to, 0, k);
      continue;
    }
    const float scale = 1.0f / stats[row] * 127.0f;
    // Converts NaN, which is 0 · Infinity in rows of subnormal numbers, to 0.
    const auto round4 = [&](float32x4_t value) __attribute__((always_inline)) {
      const int32x4_t rounded = vcvtnq_s32_f32(vmulq_n_f32(value, scale));
      return vqmovn_s32(vbicq_s32(rounded, vreinterpretq_s32_u32(vcageq_f32(value, limits))));
    };
    const auto codes8 = [&](float32x4_t first, float32x4_t second, const uint8_t *marks) __attribute__((always_inline)) {
      const int8x8_t codes = vmax_s8(vqmovn_s16(vcombine_s16(round4(first), round4(second))), vdup_n_s8(-127));
      return marks ? vbic_s8(codes, vreinterpret_s8_u8(vceq_u8(vld1_u8(marks), vdup_n_u8(1)))) : codes;
    };
    const uint64_t whole = k / 8 * 8;
    for (uint64_t i = 0; i < whole; i += 8)
      vst1_s8(to + i, codes8(load4<dtype>(x, row * k + i), load4<dtype>(x, row * k + i + 4), mask ? mask + i : nullptr));
    for (uint64_t i = whole; i < k; i++) {
      const int8x8_t codes = codes8(vdupq_n_f32(load_one<dtype>(x, row * k + i)), vdupq_n_f32(0), nullptr);
      to[i] = mask && mask[i] == 1 ? int8_t(0) : vget_lane_s8(codes, 0);
    }
  }
}

/// fr(sum · fr(row · column)) · 1/127², then the bias.
template <hb_dtype dtype>
void scale_rows(const int32_t *sums, const float *row_stats, const float *col_stats, const float *bias, uint64_t n, uint64_t begin, uint64_t end,
                void *out) {
  for (uint64_t row = begin; row < end; row++) {
    const auto scaled4 = [&](int32x4_t sum, const float *columns, const float *addends) __attribute__((always_inline)) {
      const float32x4_t scale = vmulq_n_f32(vld1q_f32(columns), row_stats[row]);
      const float32x4_t value = vmulq_n_f32(vmulq_f32(vcvtq_f32_s32(sum), scale), HB_MM_DEQUANT_REFERENCE);
      return addends ? vaddq_f32(value, vld1q_f32(addends)) : value;
    };
    uint64_t i = 0;
    for (; i + 4 <= n; i += 4) store4<dtype>(out, row * n + i, scaled4(vld1q_s32(sums + row * n + i), col_stats + i, bias ? bias + i : nullptr));
    for (; i < n; i++) {
      const float value = float(sums[row * n + i]) * (row_stats[row] * col_stats[i]) * HB_MM_DEQUANT_REFERENCE;
      store_one({out, dtype}, row * n + i, bias ? value + bias[i] : value);
    }
  }
}

}  // namespace

int64_t int8_row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  if (x.dtype == HB_FLOAT32) return row_stats<HB_FLOAT32>(x, k, threshold, look, begin, end, stats, mask);
  if (x.dtype == HB_FLOAT16) return row_stats<HB_FLOAT16>(x, k, threshold, look, begin, end, stats, mask);
  return row_stats<HB_BFLOAT16>(x, k, threshold, look, begin, end, stats, mask);
}

void int8_row_quant(Floats x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  if (x.dtype == HB_FLOAT32) row_quant<HB_FLOAT32>(x.data, k, threshold, stats, mask, begin, end, q);
  else if (x.dtype == HB_FLOAT16) row_quant<HB_FLOAT16>(x.data, k, threshold, stats, mask, begin, end, q);
  else row_quant<HB_BFLOAT16>(x.data, k, threshold, stats, mask, begin, end, q);
}

void int8_row_dequant(const int8_t *q, const float *stats, uint64_t k, uint64_t begin, uint64_t end, float *out) {
  for (uint64_t row = begin; row < end; row++) {
    const float stat = stats[row];
    uint64_t i = row * k;
    for (; i + 8 <= (row + 1) * k; i += 8) {
      const int16x8_t codes = vmovl_s8(vld1_s8(q + i));
      const float32x4_t first = vcvtq_f32_s32(vmovl_s16(vget_low_s16(codes))), second = vcvtq_f32_s32(vmovl_high_s16(codes));
      vst1q_f32(out + i, vmulq_n_f32(vmulq_n_f32(first, stat), HB_INVERSE_127));
      vst1q_f32(out + i + 4, vmulq_n_f32(vmulq_n_f32(second, stat), HB_INVERSE_127));
    }
    for (; i < (row + 1) * k; i++) out[i] = float(q[i]) * stat * HB_INVERSE_127;
  }
}

void int8_mm_dequant(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, bool bias_is_float16, uint64_t n,
                     hb_profile profile, uint64_t begin, uint64_t end, MutableFloats out) {
  // Profile cuda rounds to float16 in between.
  if (profile == HB_CUDA) scalar_kernels.int8_mm_dequant(a, row_stats, col_stats, bias, bias_is_float16, n, profile, begin, end, out);
  else if (out.dtype == HB_FLOAT32) scale_rows<HB_FLOAT32>(a, row_stats, col_stats, bias, n, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) scale_rows<HB_FLOAT16>(a, row_stats, col_stats, bias, n, begin, end, out.data);
  else scale_rows<HB_BFLOAT16>(a, row_stats, col_stats, bias, n, begin, end, out.data);
}

}  // namespace hb::neon
