// Floats to 4-bit codes, exact for every table: a bucket of the value's range tells how many bounds lie in lower buckets, and a binary search counts those
// within. It has one step when no bucket holds two bounds, as for NF4. The bucket grows with the value, so that nothing depends on where its edges lie.
// Registers: counts of buckets 2, planes of bounds 4, order 1, values 4, bounds 4, decoding 8.
#include "full_blocks.h"
#include "simd_neon.h"

namespace hb::neon {
namespace {

/// Of -1…1, and of what rounding adds to it, 0…31.
inline uint32x4_t bucket_of(float32x4_t scaled) {
  return vreinterpretq_u32_s32(vcvtq_s32_f32(vfmaq_f32(vdupq_n_f32(15.95f), scaled, vdupq_n_f32(15.9f))));
}

/// False when a bound is not a number. Bounds beyond ±1 carry the clamp, as in quantize_4bit.avx512.cpp.
bool fold_bounds(const float (&from)[15], float (&bounds)[16]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 15; i++) {
    if (from[i] != from[i]) return false;
    bounds[i] = from[i] >= 1 ? infinity : from[i] < -1 ? -infinity : from[i];
  }
  bounds[15] = infinity;
  return true;
}

class Encoder {
 public:
  Encoder(const float (&bounds)[16], const uint8_t *order) : bounds_(bounds), order_(vld1q_u8(order)) {
    uint8_t lower[32], inside[32] = {}, count = 0, most = 1;
    for (const float bound : bounds) {
      if (bound < -1) count++;
      else if (bound < 1) inside[vgetq_lane_u32(bucket_of(vdupq_n_f32(bound)), 0)]++;
    }
    for (int i = 0; i < 32; i++) {
      lower[i] = count;
      count = uint8_t(count + inside[i]);
      most = inside[i] > most ? inside[i] : most;
    }
    lower_ = vld1q_u8_x2(lower);
    while (2 * width_ - 1 < most) width_ = uint8_t(2 * width_);
  }

  /// The codes of 16 scaled values.
  inline uint8x16_t operator()(float32x4_t s0, float32x4_t s1, float32x4_t s2, float32x4_t s3) const {
    uint8x16_t count = vqtbl2q_u8(lower_, low_bytes(bucket_of(s0), bucket_of(s1), bucket_of(s2), bucket_of(s3)));
    for (uint8_t width = width_; width > 0; width /= 2) {
      float32x4_t b0, b1, b2, b3;
      bounds_.look_up(vminq_u8(vaddq_u8(count, vdupq_n_u8(uint8_t(width - 1))), vdupq_n_u8(15)), b0, b1, b2, b3);
      const uint8x16_t above = low_bytes(vcgtq_f32(s0, b0), vcgtq_f32(s1, b1), vcgtq_f32(s2, b2), vcgtq_f32(s3, b3));
      count = vaddq_u8(count, vandq_u8(above, vdupq_n_u8(width)));
    }
    return vqtbl1q_u8(order_, count);
  }

 private:
  uint8x16x2_t lower_;
  Table16 bounds_;
  uint8x16_t order_;
  // Of the first step: 1, 2, 4 or 8 bounds.
  uint8_t width_ = 1;
};

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const float (&bounds)[16], uint32_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  const Encoder encode(bounds, format.order);
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
    const float scale = block_reciprocal(absmax[block]);
    const auto codes16 = [&](uint64_t i) __attribute__((always_inline)) {
      return encode(vmulq_n_f32(load4<dtype>(x.data, i), scale), vmulq_n_f32(load4<dtype>(x.data, i + 4), scale),
                    vmulq_n_f32(load4<dtype>(x.data, i + 8), scale), vmulq_n_f32(load4<dtype>(x.data, i + 12), scale));
    };
    for (uint64_t i = first; i < stop; i += 32) {
      const uint8x16_t c0 = codes16(i), c1 = codes16(i + 16);
      vst1q_u8(codes + i / 2, vsliq_n_u8(vuzp2q_u8(c0, c1), vuzp1q_u8(c0, c1), 4));
    }
  }
  return fault;
}

}  // namespace

int64_t quantize_4bit(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                      uint8_t *codes, float *absmax) {
  alignas(16) float bounds[16];
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

}  // namespace hb::neon
