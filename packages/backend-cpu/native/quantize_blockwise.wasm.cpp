// Floats to 8-bit codes, exact. The bits of a scaled value, sign, exponent and seven bits of its fraction, are a step of a staircase on which no two
// bounds share a step: the step gives the count of bounds below, or one less, and comparing with the next bound decides. Maps with crowded bounds are
// the scalar kernel's. Registers: values 4, steps 4, bounds 4, codes 1.
#include "full_blocks.h"
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

/// Seven bits of the fraction, 24 powers of two; what is smaller shares the lowest step of its sign.
constexpr int dropped_bits = 16;
constexpr int32_t one_bits = 0x3f800000;
constexpr int32_t steps = (24 << (23 - dropped_bits)) + 1;
constexpr int32_t lowest = (one_bits >> dropped_bits) - steps + 1;

/// Steps of four values in [−1, 1], ascending as the values: negative ones below `steps`.
inline v128_t steps_of(v128_t s) {
  const v128_t above_lowest = wasm_i32x4_sub(wasm_i32x4_shr(magnitude_bits(s), dropped_bits), wasm_i32x4_const_splat(lowest));
  const v128_t height = wasm_i32x4_max(above_lowest, wasm_i32x4_const_splat(0));
  return wasm_i32x4_add(wasm_v128_xor(height, wasm_i32x4_shr(s, 31)), wasm_i32x4_const_splat(steps));
}

/// −1 and 2 · steps for bounds that every or no scaled value is above.
inline int32_t step_of(float bound) {
  if (bound < -1) return -1;
  if (bound >= 1) return 2 * steps;
  return wasm_i32x4_extract_lane(steps_of(wasm_f32x4_splat(bound)), 0);
}

class Staircase {
 public:
  /// False when two bounds share a step, or one is not a number.
  bool build(const Map8 &map) {
    int32_t step = 0, before = -1;
    for (int i = 0; i < 255; i++) {
      const float bound = map.bounds[i];
      const int32_t at = step_of(bound);
      if (bound != bound || (at >= 0 && at < 2 * steps && at == before)) return false;
      before = at;
      for (; step <= at && step < 2 * steps; step++) below_[step] = uint8_t(i);
      next_[i] = at == 2 * steps ? float_of_bits(infinity_bits) : bound;
    }
    for (; step < 2 * steps; step++) below_[step] = 255;
    next_[255] = float_of_bits(infinity_bits);
    return true;
  }

  /// Codes of sixteen scaled values.
  inline v128_t operator()(v128_t s0, v128_t s1, v128_t s2, v128_t s3) const {
    v128_t below = wasm_i8x16_const_splat(0);
    const v128_t a0 = is_above<0>(s0, below), a1 = is_above<4>(s1, below), a2 = is_above<8>(s2, below), a3 = is_above<12>(s3, below);
    return wasm_i8x16_sub(below, wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(a0, a1), wasm_i16x8_narrow_i32x4(a2, a3)));
  }

 private:
  /// Writes what is below to four lanes, and compares with the next bounds.
  template <int lane>
  inline v128_t is_above(v128_t s, v128_t &below) const {
    const v128_t step = steps_of(s);
    const uint8_t *const b0 = below_ + wasm_i32x4_extract_lane(step, 0), *const b1 = below_ + wasm_i32x4_extract_lane(step, 1),
                        *const b2 = below_ + wasm_i32x4_extract_lane(step, 2), *const b3 = below_ + wasm_i32x4_extract_lane(step, 3);
    below = wasm_v128_load8_lane(b0, below, lane);
    below = wasm_v128_load8_lane(b1, below, lane + 1);
    below = wasm_v128_load8_lane(b2, below, lane + 2);
    below = wasm_v128_load8_lane(b3, below, lane + 3);
    v128_t next = wasm_v128_load32_zero(next_ + *b0);
    next = wasm_v128_load32_lane(next_ + *b1, next, 1);
    next = wasm_v128_load32_lane(next_ + *b2, next, 2);
    next = wasm_v128_load32_lane(next_ + *b3, next, 3);
    return wasm_f32x4_gt(s, next);
  }

  uint8_t below_[2 * steps];
  float next_[256];
};

template <hb_dtype dtype>
int64_t quantize(Floats x, uint64_t size, const Map8 &map, const Staircase &staircase, uint64_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  int64_t fault = -1;
  for (size_t block = size_t(begin); block < end; block++) {
    const size_t first = size_t(block * block_size), stop = size_t(first + block_size);
    const uint32_t bits = largest_of<dtype>(x.data, first, size_t(block_size));
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.quantize_blockwise(x, size, map, block_size, HB_REFERENCE, look, block, block + 1, codes, absmax);
      if (fault < 0) fault = found;
      continue;
    }
    absmax[block] = float_of_bits(bits);
    const v128_t scale = wasm_f32x4_splat(block_reciprocal(absmax[block]));
    for (size_t i = first; i < stop; i += 16) {
      const v128_t s0 = wasm_f32x4_mul(load4<dtype>(x.data, i), scale), s1 = wasm_f32x4_mul(load4<dtype>(x.data, i + 4), scale);
      const v128_t s2 = wasm_f32x4_mul(load4<dtype>(x.data, i + 8), scale), s3 = wasm_f32x4_mul(load4<dtype>(x.data, i + 12), scale);
      wasm_v128_store(codes + i, staircase(s0, s1, s2, s3));
    }
  }
  return fault;
}

}  // namespace

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                           uint8_t *codes, float *absmax) {
  Staircase staircase;
  const bool suits = profile == HB_REFERENCE && block_size % 16 == 0 && staircase.build(map);
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, map, staircase, block_size, look, first, last, codes, absmax);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, map, staircase, block_size, look, first, last, codes, absmax);
    return quantize<HB_BFLOAT16>(x, size, map, staircase, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_blockwise(x, size, map, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::wasm
