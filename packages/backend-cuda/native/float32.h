// Single-precision operations of kernels, under the names that code for every native library knows (optimizer_rule.h): each rounds once.
#pragma once
#include "launch.cuh"

namespace hb {

__device__ inline float fused_multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }

__device__ inline float square_root(float value) { return __fsqrt_rn(value); }

// Zeros of both signs and NaN are their own sign.
__device__ inline float sign_of(float value) { return value > 0 ? 1 : value < 0 ? -1 : value; }

}  // namespace hb
