// Quantization in blocks, for 4-bit and 8-bit codes: absmax, scaled values, codes. The input is read once from memory.
#pragma once
#include "encode.cuh"

namespace hb {

constexpr uint32_t kThreads = 256;
// Blocks up to here lie in the registers of one thread block: eight values in each of its threads.
constexpr uint32_t kMostThreads = 512;
constexpr uint64_t kLargestGrouped = uint64_t{kPerThread} * kMostThreads;

// What both kernels are told.
template <class Element, class Encoder>
struct QuantizeTask {
  const typename Element::Storage *x;
  uint64_t size;
  BlockOf block_of;
  hb_profile profile;
  Encoder encoder;
  uint8_t *codes;
  float *absmax;
  // The lowest flat index of a value that is not finite; all ones is none. Null: nobody asks.
  unsigned long long *fault;

  __device__ Scaling scaling(uint32_t largest, uint64_t block) const {
    const bool is_partial = (block + 1) * block_of.size() > size;
    return scaling_of(absmax_of(largest), Encoder::kDividesTail && is_partial, profile);
  }

  // Adds a value to a thread's largest magnitude.
  __device__ uint32_t measured(uint32_t largest, float value, uint64_t index) const {
    const uint32_t magnitude = magnitude_bits(value);
    if (fault && magnitude >= kInfinity) atomicMin(fault, static_cast<unsigned long long>(index));
    return larger(largest, magnitude, profile == HB_CUDA);
  }
};

// Block sizes that are a power of two from 8 to kLargestGrouped: a group of neighbouring threads holds a block, eight values each.
template <class Element, class Encoder>
__global__ void __launch_bounds__(kMostThreads) quantize_grouped(QuantizeTask<Element, Encoder> task, uint64_t tiles) {
  __shared__ typename Encoder::Shared shared;
  task.encoder.prepare(shared);
  const uint32_t group = static_cast<uint32_t>(task.block_of.size() / kPerThread);
  // A tile is what a thread block takes at once; the same number of turns for all of its threads.
  for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint64_t first = (tile * blockDim.x + threadIdx.x) * kPerThread;
    float values[kPerThread];
    load<Element>(task.x, task.size, first, values);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < kPerThread; i++) largest = task.measured(largest, values[i], first + i);
    const uint64_t block = task.block_of(first);
    const Scaling scaled = task.scaling(largest_of_group(largest, group), block);
    if (first >= task.size) continue;
    if (threadIdx.x % group == 0) task.absmax[block] = scaled.absmax;
    uint32_t codes[kPerThread];
    for (uint32_t i = 0; i < kPerThread; i++) values[i] = scaled(values[i]);
    task.encoder.encode(shared, values, codes);
    task.encoder.store(shared, codes, task.codes, task.size, first);
  }
}

// Any block size: a thread block goes over its block twice, the second time mostly in the cache.
template <class Element, class Encoder>
__global__ void __launch_bounds__(kThreads) quantize_any(QuantizeTask<Element, Encoder> task, uint64_t blocks) {
  __shared__ typename Encoder::Shared shared;
  task.encoder.prepare(shared);
  const auto value_at = [&](uint64_t index) { return Element::widen(task.x[index]); };
  for (uint64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const uint64_t begin = block * task.block_of.size();
    const uint64_t end = min(begin + task.block_of.size(), task.size);
    uint32_t largest = 0;
    for (uint64_t i = begin + threadIdx.x; i < end; i += blockDim.x) largest = task.measured(largest, value_at(i), i);
    const Scaling scaled = task.scaling(largest_of_group(largest, blockDim.x), block);
    if (threadIdx.x == 0) task.absmax[block] = scaled.absmax;
    for (uint64_t i = begin + threadIdx.x * Encoder::kUnit; i < end; i += blockDim.x * Encoder::kUnit) {
      const bool has_second = i + 1 < end;
      task.encoder.store_unit(shared, scaled(value_at(i)), has_second ? scaled(value_at(i + 1)) : 0, has_second, task.codes, i);
    }
  }
}

}  // namespace hb
