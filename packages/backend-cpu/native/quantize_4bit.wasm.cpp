// Floats to 4-bit codes, exact for every table. Most tables: the unit interval is cut into 32 buckets so that none holds two bounds; a scaled value's
// bucket gives the count of bounds below it or one less, and comparing with the next bound decides. Bucket and bounds are looked up in byte lanes,
// sixteen values at a time. Tables with crowded bounds (fp4 near 0): fifteen compares. Bounds beyond ±1 carry the clamp, as in
// quantize_4bit.avx512.cpp.
#include "full_blocks.h"
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

/// False when a bound is not a number.
bool fold_bounds(const float (&from)[15], float (&bounds)[16]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 15; i++) {
    if (from[i] != from[i]) return false;
    bounds[i] = from[i] >= 1 ? infinity : from[i] < -1 ? -infinity : from[i];
  }
  bounds[15] = infinity;
  return true;
}

/// Sixteen scaled values.
struct Scaled {
  v128_t s0, s1, s2, s3;
};

/// The low bytes of four vectors of dwords, in order.
inline v128_t low_bytes_of(v128_t a, v128_t b, v128_t c, v128_t d) {
  const v128_t ab = wasm_i8x16_shuffle(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  const v128_t cd = wasm_i8x16_shuffle(c, d, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  return wasm_i64x2_shuffle(ab, cd, 0, 2);
}

/// Fifteen compares, whose all-ones results are subtracted from a count.
class CompareAll {
 public:
  static bool suits(const float (&)[16]) { return true; }
  explicit CompareAll(const float (&bounds)[16]) : bounds_(bounds) {}

  inline v128_t operator()(const Scaled &s) const {
    v128_t n0 = wasm_i32x4_const_splat(0), n1 = n0, n2 = n0, n3 = n0;
#pragma GCC unroll 15
    for (int i = 0; i < 15; i++) {
      const v128_t bound = wasm_v128_load32_splat(bounds_ + i);
      n0 = wasm_i32x4_sub(n0, wasm_f32x4_gt(s.s0, bound));
      n1 = wasm_i32x4_sub(n1, wasm_f32x4_gt(s.s1, bound));
      n2 = wasm_i32x4_sub(n2, wasm_f32x4_gt(s.s2, bound));
      n3 = wasm_i32x4_sub(n3, wasm_f32x4_gt(s.s3, bound));
    }
    return low_bytes_of(n0, n1, n2, n3);
  }

 private:
  const float *bounds_;
};

/// Bucket 1 … 31 of a value in [−1, 1]: next to 1.5 · 2^23 the last bit of an f32 is worth 1. Monotone, since rounding is.
constexpr float bucket_slope = 15.4f, bucket_offset = 16 + 0x1.8p23f;
inline v128_t bucket_bits(v128_t s) {
  return wasm_f32x4_add(wasm_f32x4_mul(s, wasm_f32x4_const_splat(bucket_slope)), wasm_f32x4_const_splat(bucket_offset));
}
/// −1 and 32 for what no scaled value exceeds or falls short of.
inline int bucket_of(float bound) {
  if (bound < -1) return -1;
  if (bound >= 1) return 32;
  return wasm_i32x4_extract_lane(bucket_bits(wasm_f32x4_splat(bound)), 0) & 31;
}

class Buckets {
 public:
  static bool suits(const float (&bounds)[16]) {
    for (int i = 0; i + 1 < 15; i++) {
      const int bucket = bucket_of(bounds[i]);
      if (bucket >= 0 && bucket < 32 && bucket == bucket_of(bounds[i + 1])) return false;
    }
    return true;
  }
  explicit Buckets(const float (&bounds)[16]) : next_(bounds) {
    uint8_t below[32];
    for (int bucket = 0; bucket < 32; bucket++) {
      int count = 0;
      while (count < 15 && bucket_of(bounds[count]) < bucket) count++;
      below[bucket] = uint8_t(count);
    }
    low_ = wasm_v128_load(below), high_ = wasm_v128_load(below + 16);
  }

  inline v128_t operator()(const Scaled &s) const {
    const v128_t mixed = low_bytes_of(bucket_bits(s.s0), bucket_bits(s.s1), bucket_bits(s.s2), bucket_bits(s.s3));
    const v128_t bucket = wasm_v128_and(mixed, wasm_i8x16_const_splat(31));
    // An index that is not below 16 gives 0.
    const v128_t upper = wasm_i8x16_swizzle(high_, wasm_i8x16_sub(bucket, wasm_i8x16_const_splat(16)));
    const v128_t below = wasm_v128_or(wasm_i8x16_swizzle(low_, bucket), upper);
    const Table16::Values next = next_(below);
    const v128_t above = low_bytes_of(wasm_f32x4_gt(s.s0, next.v0), wasm_f32x4_gt(s.s1, next.v1), wasm_f32x4_gt(s.s2, next.v2),
                                      wasm_f32x4_gt(s.s3, next.v3));
    return wasm_i8x16_sub(below, above);
  }

 private:
  v128_t low_, high_;
  Table16 next_;
};

/// Pairs of nibbles, the first high, in the low byte of each word.
inline v128_t pair_up(v128_t codes) { return wasm_v128_or(wasm_i16x8_shl(codes, 4), wasm_u16x8_shr(codes, 8)); }

template <hb_dtype dtype>
inline Scaled load_scaled(const void *x, size_t at, v128_t scale) {
  return {wasm_f32x4_mul(load4<dtype>(x, at), scale), wasm_f32x4_mul(load4<dtype>(x, at + 4), scale), wasm_f32x4_mul(load4<dtype>(x, at + 8), scale),
          wasm_f32x4_mul(load4<dtype>(x, at + 12), scale)};
}

template <hb_dtype dtype, class Count>
void encode_block(const void *x, size_t first, size_t block_size, float absmax, const Count &count, v128_t order, uint8_t *codes) {
  const v128_t scale = wasm_f32x4_splat(block_reciprocal(absmax));
  for (size_t i = first; i < first + block_size; i += 32) {
    const v128_t c0 = lookup(order, count(load_scaled<dtype>(x, i, scale)));
    const v128_t c1 = lookup(order, count(load_scaled<dtype>(x, i + 16, scale)));
    const v128_t bytes = wasm_i8x16_shuffle(pair_up(c0), pair_up(c1), 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    wasm_v128_store(codes + i / 2, bytes);
  }
}

template <hb_dtype dtype, class Count>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const Count &count, uint32_t block_size, bool look, uint64_t begin, uint64_t end,
                 uint8_t *codes, float *absmax) {
  const v128_t order = wasm_v128_load(format.order);
  int64_t fault = -1;
  for (size_t block = size_t(begin); block < end; block++) {
    const uint32_t bits = largest_of<dtype>(x.data, block * block_size, block_size);
    if (bits >= infinity_bits) {
      const int64_t found = scalar_kernels.quantize_4bit(x, size, format, block_size, HB_REFERENCE, look, block, block + 1, codes, absmax);
      if (fault < 0) fault = found;
      continue;
    }
    absmax[block] = float_of_bits(bits);
    encode_block<dtype>(x.data, block * block_size, block_size, absmax[block], count, order, codes);
  }
  return fault;
}

template <class Count>
int64_t quantize(Floats x, uint64_t size, const Format4 &format, const float (&bounds)[16], uint32_t block_size, bool look, uint64_t begin,
                 uint64_t end, uint8_t *codes, float *absmax) {
  const Count count(bounds);
  if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(x, size, format, count, block_size, look, begin, end, codes, absmax);
  if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(x, size, format, count, block_size, look, begin, end, codes, absmax);
  return quantize<HB_BFLOAT16>(x, size, format, count, block_size, look, begin, end, codes, absmax);
}

}  // namespace

int64_t quantize_4bit(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                      uint8_t *codes, float *absmax) {
  float bounds[16];
  const bool suits = profile == HB_REFERENCE && block_size % 32 == 0 && fold_bounds(format.bounds, bounds);
  // A partial last block divides and raises its absmax.
  const uint64_t full = suits ? size / block_size : 0;
  const auto fast = [&](uint64_t first, uint64_t last) {
    return Buckets::suits(bounds) ? quantize<Buckets>(x, size, format, bounds, block_size, look, first, last, codes, absmax)
                                  : quantize<CompareAll>(x, size, format, bounds, block_size, look, first, last, codes, absmax);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) {
    return scalar_kernels.quantize_4bit(x, size, format, block_size, profile, look, first, last, codes, absmax);
  };
  return full_blocks_fast(full, begin, end, fast, scalar);
}

}  // namespace hb::wasm
