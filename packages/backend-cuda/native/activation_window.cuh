// bfloat16 activations on tensor cores that multiply float16: eight bits of mantissa fit into eleven, but the exponents do not.
//
// The activations of a row are taken in chunks, scaled by a power of two so that the largest lies between 2^14 and 2^15: then 31 powers of two are
// held exactly. What is smaller is taken in a further window, by another product: so rare that it may be slow, but nothing is lost.
#pragma once
#include "elements.cuh"

namespace hb {

// Elements of k that have a window, and a block scale, in common.
constexpr uint32_t kChunk = 64;

class ActivationWindow {
 public:
  // The first window of a chunk, by the largest bit pattern without its sign.
  explicit __device__ ActivationWindow(uint32_t largest_bits) : end_(256), top_(min(max(largest_bits >> 23, kLowest), 254u)) {}

  // The same, by its factor.
  static __device__ ActivationWindow first_with(float factor) { return ActivationWindow((__float_as_uint(factor) & 0x7f800000) + (14u << 23)); }

  // Whether the number comes in a later one.
  __device__ bool is_below(float value) const { return value != 0 && !is_last() && exponent_of(value) + kWidth <= top_; }

  // After the last one nothing is left.
  __device__ void advance() {
    end_ = is_last() ? 0 : top_ - kWidth + 1;
    top_ = max(end_, kLowest + 1) - 1;
  }

  // Into the window, and back; both exact.
  __device__ float multiplier() const { return __uint_as_float((268 - top_) << 23); }
  __device__ float factor() const { return __uint_as_float((top_ - 14) << 23); }

  // Two elements in a register; 0 for what other windows hold.
  __device__ uint32_t narrow_pair(float first, float second) const {
    return Float16::narrow_pair(holds(first) ? __fmul_rn(first, multiplier()) : 0, holds(second) ? __fmul_rn(second, multiplier()) : 0);
  }

 private:
  static constexpr uint32_t kWidth = 31;
  // With this top a window reaches down to the smallest bfloat16.
  static constexpr uint32_t kLowest = 31;

  static __device__ uint32_t exponent_of(float value) { return __float_as_uint(value) >> 23 & 255; }
  __device__ bool is_last() const { return top_ == kLowest; }
  // Infinity and NaN go into the first.
  __device__ bool holds(float value) const {
    const uint32_t exponent = exponent_of(value);
    return exponent < end_ && (is_last() || exponent + kWidth > top_);
  }

  // Exponents as they are stored, 127 being 1; numbers from end_ on are in earlier windows.
  uint32_t end_, top_;
};

}  // namespace hb
