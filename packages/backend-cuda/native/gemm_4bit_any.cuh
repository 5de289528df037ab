// A few rows of x times a 4-bit weight whatever its shape: rows that begin in the middle of a byte, blocks that end inside a piece. A warp computes a
// number of the result, its lanes going along K one weight at a time.
#pragma once
#include "gemm_4bit.h"
#include "operands.cuh"

namespace hb {

constexpr uint32_t kAnyThreads = 128;
// How many products a lane adds up before it begins anew.
constexpr uint32_t kAnyChunk = 32;

struct AnyTask {
  Matrix x;
  Weight4 weight;
  BlockOf block_of;
  Result result;

  __device__ float weight_at(const float *table, uint64_t i) const {
    const uint32_t index = weight.codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
    return __fmul_rn(table[index], weight.scales.at(block_of(i)));
  }
};

__global__ void __launch_bounds__(kAnyThreads) gemm_4bit_any(AnyTask task, Divisor columns) {
  __shared__ float table[16];
  if (threadIdx.x < 16) table[threadIdx.x] = task.weight.table[threadIdx.x];
  __syncthreads();
  const uint64_t k = task.x.inner, size = task.result.rows * task.result.columns;
  const uint32_t lane = threadIdx.x % 32, warps = kAnyThreads / 32;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * warps + threadIdx.x / 32; i < size; i += static_cast<uint64_t>(gridDim.x) * warps) {
    const uint64_t row = columns.quotient(i), column = columns.remainder(i);
    float sum = 0;
    for (uint64_t begin = lane; begin < k; begin += 32 * kAnyChunk) {
      float part = 0;
      for (uint64_t at = begin; at < min(k, begin + 32 * kAnyChunk); at += 32)
        part = __fmaf_rn(task.x.elements.at(row * k + at), task.weight_at(table, column * k + at), part);
      sum = __fadd_rn(sum, part);
    }
    sum = sum_of_warp(sum);
    if (lane == 0) task.result.put(row, column, sum);
  }
}

}  // namespace hb
