// The largest magnitude of a block, and what its values are multiplied with or divided by (core/src/reference/block-scale.ts).
//
// Magnitudes are compared as the integers that their bits are: the order is the same, and NaN is above infinity.
#pragma once
#include "elements.cuh"
#include "halfbyte_formats.h"

namespace hb {

constexpr uint32_t kInfinity = 0x7f800000, kNaN = 0x7fc00000;

__device__ inline uint32_t magnitude_bits(float value) { return __float_as_uint(value) & 0x7fffffff; }

// NaN wins, as in torch.max, except on CUDA, where fmaxf skips it.
__device__ inline uint32_t larger(uint32_t largest, uint32_t magnitude, bool skips_nan) {
  return skips_nan && magnitude > kInfinity ? largest : max(largest, magnitude);
}

__device__ inline float absmax_of(uint32_t largest) { return __uint_as_float(largest > kInfinity ? kNaN : largest); }

__device__ inline uint32_t largest_of_warp(uint32_t value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_max_sync(~0u, value);
#else
  HB_UNROLL for (uint32_t apart = 16; apart > 0; apart /= 2) value = max(value, __shfl_xor_sync(~0u, value, apart));
  return value;
#endif
}

// The largest value of `threads` neighbouring threads, a power of two, the same for the whole block; all threads of the block take part.
__device__ inline uint32_t largest_of_group(uint32_t value, uint32_t threads) {
  if (threads >= 32) value = largest_of_warp(value);
  else
    for (uint32_t apart = threads / 2; apart > 0; apart /= 2) value = max(value, __shfl_xor_sync(~0u, value, apart));
  if (threads <= 32) return value;
  __shared__ uint32_t of_warp[32];
  const uint32_t warp = threadIdx.x / 32, warps = threads / 32;
  if (threadIdx.x % 32 == 0) of_warp[warp] = value;
  __syncthreads();
  for (uint32_t i = 0; i < warps; i++) value = max(value, of_warp[warp / warps * warps + i]);
  // Before the next call writes there.
  __syncthreads();
  return value;
}

__device__ inline float at_least_smallest(float absmax) { return absmax < HB_SMALLEST_SCALE ? HB_SMALLEST_SCALE : absmax; }

// How a block is scaled, and the absmax that is stored for it.
struct Scaling {
  float absmax, factor;
  bool divides;

  // Between −1 and 1; NaN stays NaN.
  __device__ float operator()(float value) const { return clamped(divides ? __fdiv_rn(value, factor) : __fmul_rn(value, factor)); }

  static __device__ float clamped(float scaled) { return scaled > 1 ? 1 : scaled < -1 ? -1 : scaled; }

  // Whether the product of a value of the block and the factor may lie beyond 1. A normal reciprocal is so near to the exact one that it rounds to 1 at
  // most.
  __device__ bool may_exceed() const { return !(factor >= 0x1p-126f && factor <= 0x1p126f); }
};

// Blocks multiply by the rounded reciprocal. Profile cuda puts no floor under absmax: the reciprocal may be infinite there. The partial last
// block of a 4-bit tensor divides and stores the raised absmax, except on CUDA.
__device__ inline Scaling scaling_of(float absmax, bool divides, hb_profile profile) {
  if (profile == HB_CUDA) return {absmax, __frcp_rn(absmax), false};
  const float raised = at_least_smallest(absmax);
  if (divides) return {raised, raised, true};
  return {absmax, __frcp_rn(raised), false};
}

}  // namespace hb
