// Floats to 8-bit codes, exact for every sorted map: as in quantize_4bit.neon.cpp, but the bucket is made of a value's sign, exponent and six bits of its
// mantissa, and no register holds the tables, so that lanes leave for a scalar search. Buckets of the dynamic map hold one bound at most.
#include "full_blocks.h"
#include "simd_neon.h"

namespace hb::neon {
namespace {

/// Magnitudes below 2^-22 share a bucket; the last one begins at 1 and has room for what rounding adds.
constexpr uint32_t smallest_bits = uint32_t(127 - 22) << 23;
constexpr uint32_t magnitudes = (22 << 6) + 1;
constexpr uint32_t negative = 2048;

/// Grows with the magnitude; `negative` is added below zero.
inline uint32x4_t bucket_of(float32x4_t scaled) {
  const uint32x4_t sign = vshrq_n_u32(vreinterpretq_u32_f32(scaled), 31);
  const uint32x4_t magnitude = vshrq_n_u32(vqsubq_u32(magnitude_bits(scaled), vdupq_n_u32(smallest_bits)), 23 - 6);
  return vorrq_u32(magnitude, vmulq_n_u32(sign, negative));
}

/// False when a bound is not a number. Bounds beyond ±1 carry the clamp; −0 becomes +0, whose bucket lies above that of −0.
bool fold_bounds(const Map8 &map, float (&bounds)[512]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 255; i++) {
    const float bound = map.bounds[i];
    if (bound != bound) return false;
    bounds[i] = bound >= 1 ? infinity : bound < -1 ? -infinity : bound + 0.0f;
  }
  for (int i = 255; i < 512; i++) bounds[i] = infinity;
  return true;
}

class Encoder {
 public:
  explicit Encoder(const float (&bounds)[512]) : bounds_(bounds) {
    uint8_t inside[2 * negative] = {};
    uint32_t count = 0, most = 1;
    for (int i = 0; i < 255; i++) {
      if (bounds[i] < -1) count++;
      else if (bounds[i] < 1) inside[vgetq_lane_u32(bucket_of(vdupq_n_f32(bounds[i])), 0)]++;
    }
    const auto set = [&](uint32_t bucket) {
      lower_[bucket] = uint8_t(count);
      count += inside[bucket];
      most = inside[bucket] > most ? inside[bucket] : most;
    };
    for (uint32_t i = magnitudes; i-- > 0;) set(negative + i);
    for (uint32_t i = 0; i < magnitudes; i++) set(i);
    while (2 * width_ - 1 < most) width_ *= 2;
  }

  inline uint8_t operator()(float scaled, uint32_t bucket) const {
    uint32_t count = lower_[bucket];
    for (uint32_t width = width_; width > 1; width /= 2) count += scaled > bounds_[count + width - 1] ? width : 0;
    return uint8_t(count + (scaled > bounds_[count]));
  }

 private:
  const float (&bounds_)[512];
  uint8_t lower_[2 * negative];
  // Of the first step, a power of two.
  uint32_t width_ = 1;
};

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Map8 &map, const Encoder &encode, uint64_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
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
    const float scale = block_reciprocal(absmax[block]);
    for (uint64_t i = first; i < stop; i += 16) {
      float scaled[16];
      uint16_t bucket[16];
      for (int j = 0; j < 16; j += 8) {
        const float32x4_t s0 = vmulq_n_f32(load4<dtype>(x.data, i + j), scale), s1 = vmulq_n_f32(load4<dtype>(x.data, i + j + 4), scale);
        vst1q_f32(scaled + j, s0);
        vst1q_f32(scaled + j + 4, s1);
        vst1q_u16(bucket + j, low_halves(bucket_of(s0), bucket_of(s1)));
      }
      for (int j = 0; j < 16; j++) codes[i + j] = encode(scaled[j], bucket[j]);
    }
  }
  return fault;
}

}  // namespace

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                           uint8_t *codes, float *absmax) {
  float bounds[512];
  const bool suits = profile == HB_REFERENCE && block_size % 16 == 0 && fold_bounds(map, bounds);
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    const Encoder encode(bounds);
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, map, encode, block_size, look, first, last, codes, absmax);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, map, encode, block_size, look, first, last, codes, absmax);
    return quantize<HB_BFLOAT16>(x, size, map, encode, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_blockwise(x, size, map, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::neon
