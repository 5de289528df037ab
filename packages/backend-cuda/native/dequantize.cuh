// Decoding: table value times absmax in f32, one rounding to the output's dtype. Eight elements to a thread.
#pragma once
#include "elements.cuh"

namespace hb {

template <class Element>
struct DequantizeTask {
  const uint8_t *codes;
  const float *absmax;
  const float *table;
  uint64_t size;
  BlockOf block_of;
  // Added in f32; 0 adds nothing, because adding 0 would turn −0 into +0.
  float offset;
  typename Element::Storage *out;

  // The absmax of eight elements from `first`, which straddle blocks only where those are no multiple of eight.
  __device__ void load_scales(uint64_t first, float (&scales)[kPerThread]) const {
    const bool is_one = block_of.size() % kPerThread == 0;
    const float common = absmax[block_of(first)];
    for (uint32_t i = 0; i < kPerThread; i++) scales[i] = is_one || first + i >= size ? common : absmax[block_of(first + i)];
  }

  __device__ void store_decoded(const float *values, const uint32_t (&indices)[kPerThread], uint64_t first) const {
    float scales[kPerThread], decoded[kPerThread];
    load_scales(first, scales);
    for (uint32_t i = 0; i < kPerThread; i++) {
      const float value = __fmul_rn(values[indices[i]], scales[i]);
      decoded[i] = offset == 0 ? value : __fadd_rn(value, offset);
    }
    store<Element>(decoded, out, size, first);
  }
};

// The codes of eight elements from `first`, of which those from `size` on are not there: code 0.
struct Nibbles {
  static constexpr uint32_t kEntries = 16;
  static __device__ void load(const uint8_t *codes, uint64_t size, uint64_t first, uint32_t (&indices)[kPerThread]) {
    uint32_t bytes = 0;
    if (first + kPerThread <= size) {
      bytes = reinterpret_cast<const uint32_t *>(codes)[first / kPerThread];
    } else {
      HB_UNROLL for (uint32_t i = 0; i < kPerThread; i += 2)
        if (first + i < size) bytes |= static_cast<uint32_t>(codes[(first + i) / 2]) << 4 * i;
    }
    // The first of a byte is in its high nibble.
    for (uint32_t i = 0; i < kPerThread; i++) indices[i] = bytes >> 4 * (i ^ 1) & 15;
  }
};

struct Bytes {
  static constexpr uint32_t kEntries = 256;
  static __device__ void load(const uint8_t *codes, uint64_t size, uint64_t first, uint32_t (&indices)[kPerThread]) {
    uint2 bytes = {0, 0};
    if (first + kPerThread <= size) {
      bytes = reinterpret_cast<const uint2 *>(codes)[first / kPerThread];
    } else {
      HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
        if (first + i < size) (i < 4 ? bytes.x : bytes.y) |= static_cast<uint32_t>(codes[first + i]) << 8 * (i % 4);
    }
    for (uint32_t i = 0; i < kPerThread; i++) indices[i] = (i < 4 ? bytes.x : bytes.y) >> 8 * (i % 4) & 255;
  }
};

template <class Element, class Codes>
__global__ void __launch_bounds__(256) dequantize(DequantizeTask<Element> task) {
  __shared__ float values[Codes::kEntries];
  for (uint32_t i = threadIdx.x; i < Codes::kEntries; i += blockDim.x) values[i] = task.table[i];
  __syncthreads();
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * blockDim.x * kPerThread;
  for (uint64_t first = (static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPerThread; first < task.size; first += stride) {
    uint32_t indices[kPerThread];
    Codes::load(task.codes, task.size, first, indices);
    task.store_decoded(values, indices, first);
  }
}

}  // namespace hb
