// How far a weight is from its original (core/src/reference/quantization-error.ts): a thread block to a segment, which stays in its registers
// between the two passes, for the scale and for the sums.
#pragma once
#include "block_scale.cuh"
#include "dequantize.cuh"

namespace hb {

constexpr uint32_t kErrorThreads = 256;
// What a thread takes of a segment, in pieces of kPerThread elements.
constexpr uint32_t kErrorPieces = HB_ERROR_SEGMENT / (kErrorThreads * kPerThread);

template <class Element>
struct ErrorTask {
  const typename Element::Storage *x;
  Coded weight;
  float *sums;

  // Eight pairs from `first`; zeros beyond the end, which add nothing.
  template <class Codes>
  __device__ void load_pairs(const float *values, uint64_t first, float (&a)[kPerThread], float (&b)[kPerThread]) const {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) a[i] = b[i] = 0;
    if (first >= weight.size) return;
    load<Element>(x, weight.size, first, a);
    weight.template decode<Codes>(values, first, b);
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
      if (first + i >= weight.size) b[i] = 0;
  }
};

// The unit of a segment: the power of two of its largest magnitude, within limits that leave the reciprocal a normal number too.
__device__ inline uint32_t unit_bits(uint32_t largest) { return min(max(largest & kInfinity, 0x00800000u), 0x7e800000u); }

// The sum of a value over all threads of the block, each of which takes part.
__device__ inline float sum_of_block(float value) {
  for (uint32_t apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(~0u, value, apart);
  __shared__ float of_warp[kErrorThreads / 32];
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (const float warp : of_warp) sum += warp;
  // Before the next call writes there.
  __syncthreads();
  return sum;
}

template <class Element, class Codes>
__global__ void __launch_bounds__(kErrorThreads) quantization_error(ErrorTask<Element> task, uint64_t segments) {
  __shared__ float values[Codes::kEntries];
  if (task.weight.table)
    for (uint32_t i = threadIdx.x; i < Codes::kEntries; i += blockDim.x) values[i] = task.weight.table[i];
  __syncthreads();
  for (uint64_t segment = blockIdx.x; segment < segments; segment += gridDim.x) {
    float a[kErrorPieces][kPerThread], b[kErrorPieces][kPerThread];
    uint32_t largest = 0;
    HB_UNROLL for (uint32_t piece = 0; piece < kErrorPieces; piece++) {
      task.template load_pairs<Codes>(values, segment * HB_ERROR_SEGMENT + (piece * kErrorThreads + threadIdx.x) * kPerThread, a[piece], b[piece]);
      for (uint32_t i = 0; i < kPerThread; i++) largest = max(largest, max(magnitude_bits(a[piece][i]), magnitude_bits(b[piece][i])));
    }
    largest = largest_of_group(largest, kErrorThreads);
    const uint32_t unit = unit_bits(largest);
    const float reciprocal = __uint_as_float(0x7f000000 - unit);
    uint32_t max_abs = 0;
    float noise = 0, signal = 0, energy = 0, product = 0;
    HB_UNROLL for (uint32_t piece = 0; piece < kErrorPieces; piece++) {
      for (uint32_t i = 0; i < kPerThread; i++) {
        const float p = __fmul_rn(a[piece][i], reciprocal), q = __fmul_rn(b[piece][i], reciprocal), difference = __fadd_rn(p, -q);
        max_abs = max(max_abs, magnitude_bits(difference));
        noise = __fmaf_rn(difference, difference, noise);
        signal = __fmaf_rn(p, p, signal);
        energy = __fmaf_rn(q, q, energy);
        product = __fmaf_rn(p, q, product);
      }
    }
    const float figures[HB_ERROR_COLUMNS] = {__uint_as_float(unit), __uint_as_float(largest_of_group(max_abs, kErrorThreads)),
                                             sum_of_block(noise),   sum_of_block(signal),
                                             sum_of_block(energy),  sum_of_block(product)};
    if (threadIdx.x > 0) continue;
    for (uint32_t i = 0; i < HB_ERROR_COLUMNS; i++)
      task.sums[segment * HB_ERROR_COLUMNS + i] = largest < kInfinity ? figures[i] : __uint_as_float(kNaN);
  }
}

}  // namespace hb
