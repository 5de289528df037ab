// Operands of matrix products whose dtype is looked up when the kernel runs: it is the same for all threads, and a kernel for each would say
// the same again.
#pragma once
#include "elements.cuh"

namespace hb {

struct Floats {
  const void *data;
  hb_dtype dtype;

  __device__ float at(uint64_t i) const {
    if (dtype == HB_FLOAT32) return static_cast<const float *>(data)[i];
    const uint16_t bits = static_cast<const uint16_t *>(data)[i];
    return dtype == HB_FLOAT16 ? Float16::widen(bits) : Bfloat16::widen(bits);
  }
};

struct MutableFloats {
  void *data;
  hb_dtype dtype;

  __device__ void put(uint64_t i, float value) const {
    if (dtype == HB_FLOAT32) static_cast<float *>(data)[i] = value;
    else static_cast<uint16_t *>(data)[i] = dtype == HB_FLOAT16 ? Float16::narrow(value) : Bfloat16::narrow(value);
  }
};

// The sum of a warp in every lane, in the same order each time.
__device__ inline float sum_of_warp(float value) {
  for (uint32_t apart = 16; apart > 0; apart /= 2) value = __fadd_rn(value, __shfl_xor_sync(~0u, value, apart));
  return value;
}

}  // namespace hb
