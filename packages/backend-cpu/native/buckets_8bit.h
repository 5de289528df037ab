// Where a value lies among the bounds of an 8-bit map, by the upper half of its bits: one look-up and one comparison, for instruction sets that cannot keep a
// table in registers. Exact: a bucket holds one bound at most, which is checked here; a map for which that is not so is left to a binary search.
//
// Floats compare like the integers order_of() makes of them. Their upper half, sign, exponent and seven bits of mantissa, is the bucket, all magnitudes
// below 2^-31 sharing one; the lower half decides against the bound in the bucket.
//
// No intrinsics. Internal linkage, see simd_avx512.h.
#pragma once
#include "float16.h"
#include "kernels.h"

namespace hb {
namespace {

inline int32_t order_of(float value) {
  const uint32_t bits = bits_of(value);
  return static_cast<int32_t>(bits & 0x80000000 ? bits ^ 0x7fffffff : bits);
}

class Buckets8 {
 public:
  static constexpr int32_t half = 4096;
  /// Keys in [low, high] share bucket 0.
  static constexpr int32_t high = (127 - 31) << 7, low = -high - 1;

  /// False when two bounds share a bucket, or one lies near 0, or beyond ±1, where values are clamped.
  bool make(const Map8 &map, hb_profile profile) {
    int32_t next = -half;
    for (int32_t i = 0; i < 255; i++) {
      const float bound = map.bounds[i];
      if (!(bound > -1 && bound < 1)) return false;
      // A tie goes to the lower code, on CUDA to the even one.
      const int32_t threshold = order_of(bound) - (profile == HB_CUDA && i % 2 == 1);
      const int32_t bucket = bucket_of(threshold >> 16);
      if (bucket < next || bucket == 0) return false;
      fill(next, bucket, i);
      entry_[half + bucket] = i << 16 | (threshold & 0xffff);
      next = bucket + 1;
    }
    fill(next, half, 255);
    return true;
  }

  /// By bucket, −half…half − 1, for magnitudes below 2: the code at its start, and in the lower half the lower half of its bound.
  const int32_t *entries() const { return entry_ + half; }

 private:
  static int32_t bucket_of(int32_t key) { return key > high ? key - high : key < low ? key - low : 0; }

  /// Buckets [from, to) without a bound: no lower half is above the largest.
  void fill(int32_t from, int32_t to, int32_t code) {
    for (int32_t bucket = from; bucket < to; bucket++) entry_[half + bucket] = code << 16 | 0xffff;
  }

  int32_t entry_[2 * half];
};

}  // namespace
}  // namespace hb
