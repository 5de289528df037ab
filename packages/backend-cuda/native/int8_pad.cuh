// Rows of bytes, of any length and at any address, as products read them: a multiple of 16 bytes each, the last of them zeros.
#pragma once
#include "launch.cuh"

namespace hb {

// The first `count` bytes of a word, the others zero.
__device__ inline uint32_t first_bytes(uint32_t word, uint64_t count) {
  return count >= 4 ? word : word & ((1u << 8 * static_cast<uint32_t>(count)) - 1);
}

// Four bytes of a row of `k` from `at` < k on, zeros beyond its end: put together from the aligned words that hold a byte of the row.
__device__ inline uint32_t word_of_row(const int8_t *row, uint64_t at, uint64_t k) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(row + at), end = reinterpret_cast<uintptr_t>(row + k), aligned = begin / 4 * 4;
  const uint32_t low = *reinterpret_cast<const uint32_t *>(aligned);
  const uint32_t high = aligned + 4 < end ? *reinterpret_cast<const uint32_t *>(aligned + 4) : 0;
  return first_bytes(__funnelshift_r(low, high, static_cast<uint32_t>(begin % 4) * 8), k - at);
}

__global__ void __launch_bounds__(256) pad_rows(const int8_t *from, uint64_t rows, uint64_t k, uint64_t padded, uint32_t *to) {
  for (uint64_t row = blockIdx.x; row < rows; row += gridDim.x)
    for (uint64_t at = 4 * threadIdx.x; at < padded; at += 4 * blockDim.x)
      to[(row * padded + at) / 4] = at < k ? word_of_row(from + row * k, at, k) : 0;
}

}  // namespace hb
