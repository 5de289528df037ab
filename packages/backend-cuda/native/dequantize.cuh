// Decoding: table value times absmax in f32, one rounding to the output's dtype. Eight elements to a thread.
#pragma once
#include "elements.cuh"
#include "halfbyte_formats.h"
#include "scales.cuh"

namespace hb {

// Codes in memory, and what they are multiplied with.
struct Coded {
  const uint8_t *codes;
  BlockScales absmax;
  const float *table;
  uint64_t size;
  BlockOf block_of;

  // Eight elements from `first` < size; what they are beyond the end is of no account. `values` holds the table.
  template <class Codes>
  __device__ void decode(const float *values, uint64_t first, float (&decoded)[kPerThread]) const {
    uint32_t indices[kPerThread];
    float scales[kPerThread];
    Codes::load(codes, size, first, indices);
    load_scales(first, scales);
    for (uint32_t i = 0; i < kPerThread; i++) decoded[i] = Codes::decode(values, indices[i], scales[i]);
  }

 private:
  // The absmax of eight elements, which straddle blocks only where those are no multiple of eight.
  __device__ void load_scales(uint64_t first, float (&scales)[kPerThread]) const {
    const bool is_one = block_of.size() % kPerThread == 0;
    const float common = absmax.at(block_of(first));
    for (uint32_t i = 0; i < kPerThread; i++) scales[i] = is_one || first + i >= size ? common : absmax.at(block_of(first + i));
  }
};

template <class Element>
struct DequantizeTask {
  Coded from;
  // Added in f32; 0 adds nothing, because adding 0 would turn −0 into +0.
  float offset;
  typename Element::Storage *out;
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
  static __device__ float decode(const float *values, uint32_t index, float scale) { return __fmul_rn(values[index], scale); }
};

struct Bytes {
  static constexpr uint32_t kEntries = 256;
  static __device__ void load(const uint8_t *codes, uint64_t size, uint64_t first, uint32_t (&indices)[kPerThread]) {
    const uint2 bytes = load_bytes(codes, size, first);
    for (uint32_t i = 0; i < kPerThread; i++) indices[i] = byte_of(bytes, i);
  }
  static __device__ float decode(const float *values, uint32_t index, float scale) { return __fmul_rn(values[index], scale); }
};

// Rows of LLM.int8(): their codes are numbers, in units of the row's absmax / 127.
struct SignedBytes : Bytes {
  static __device__ float decode(const float *, uint32_t index, float scale) {
    return __fmul_rn(__fmul_rn(static_cast<float>(static_cast<int8_t>(index)), scale), HB_INVERSE_127);
  }
};

template <class Element, class Codes>
__global__ void __launch_bounds__(256) dequantize(DequantizeTask<Element> task) {
  __shared__ float values[Codes::kEntries];
  for (uint32_t i = threadIdx.x; i < Codes::kEntries; i += blockDim.x) values[i] = task.from.table[i];
  __syncthreads();
  const uint64_t size = task.from.size, stride = static_cast<uint64_t>(gridDim.x) * blockDim.x * kPerThread;
  for (uint64_t first = (static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPerThread; first < size; first += stride) {
    float decoded[kPerThread];
    task.from.template decode<Codes>(values, first, decoded);
    if (task.offset != 0)
      for (uint32_t i = 0; i < kPerThread; i++) decoded[i] = __fadd_rn(decoded[i], task.offset);
    store<Element>(decoded, task.out, size, first);
  }
}

}  // namespace hb
