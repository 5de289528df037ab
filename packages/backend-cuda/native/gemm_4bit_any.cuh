// The product with a 4-bit weight whatever its shape: rows that begin in the middle of a byte, blocks that end inside a row. A warp computes an
// element, its lanes going along K.
#pragma once
#include "gemm_4bit.h"
#include "operands.cuh"

namespace hb {

constexpr uint32_t kAnyThreads = 128;
// How many products a lane adds up before it begins anew.
constexpr uint32_t kAnyChunk = 32;

// A weight whose codes can be asked for one by one.
struct AnyWeight4 {
  Weight4 weight;
  BlockOf block_of;

  __device__ float at(const float *table, uint64_t i) const {
    const uint32_t index = weight.codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
    return __fmul_rn(table[index], weight.scales.at(block_of(i)));
  }
};

__global__ void __launch_bounds__(kAnyThreads) gemm_4bit_any(Product4 product, AnyWeight4 weight) {
  __shared__ float table[16];
  if (threadIdx.x < 16) table[threadIdx.x] = product.weight.table[threadIdx.x];
  __syncthreads();
  const uint64_t m = product.m, n = product.n, k = product.k;
  const uint32_t lane = threadIdx.x % 32, warps = kAnyThreads / 32;
  const Floats x = {product.x, product.dtype}, bias = {product.bias, product.bias_dtype};
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * warps + threadIdx.x / 32; i < m * n; i += static_cast<uint64_t>(gridDim.x) * warps) {
    const uint64_t row = i / n, column = i % n;
    float sum = 0;
    for (uint64_t begin = lane; begin < k; begin += 32 * kAnyChunk) {
      float part = 0;
      for (uint64_t at = begin; at < min(k, begin + 32 * kAnyChunk); at += 32)
        part = __fmaf_rn(x.at(row * k + at), weight.at(table, column * k + at), part);
      sum = __fadd_rn(sum, part);
    }
    sum = sum_of_warp(sum);
    if (lane > 0) continue;
    if (bias.data) sum = __fadd_rn(sum, bias.at(column));
    MutableFloats{product.out, product.dtype}.put(i, sum);
  }
}

}  // namespace hb
