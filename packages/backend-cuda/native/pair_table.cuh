// What a byte of two 4-bit codes stands for: a pair of float16 numbers, which is one register of a tensor core's operand. In shared memory.
//
// float16 keeps 11 bits, and how well 16 numbers fit into them depends on a common factor. The table is multiplied with the best of 32, whose
// reciprocal goes into the sums: no entry of NF4 is then off by more than 2^-12.5 of itself, of FP4 none at all.
#pragma once
#include "elements.cuh"

namespace hb {

// Mantissas that suit known tables, by a search of all of them: NF4, AF4. FP4's 1.5 is among the multiples of 1/32.
constexpr float kNf4Mantissa = 1.63849926f, kAf4Mantissa = 1.71404743f;

__device__ inline float candidate_mantissa(uint32_t lane) {
  return lane == 1 ? kNf4Mantissa : lane == 3 ? kAf4Mantissa : 1 + static_cast<float>(lane) / 32;
}

// The power of two that puts the largest magnitude of the table between 2^13 and 2^14.
__device__ inline float table_magnitude(const float *table) {
  uint32_t largest = 0;
  for (uint32_t i = 0; i < 16; i++) largest = max(largest, __float_as_uint(table[i]) & 0x7f800000);
  const uint32_t exponent = min(max(largest >> 23, 16u), 250u);
  return __uint_as_float((267 - exponent) << 23);
}

// The largest relative error of the table's float16 numbers under a factor.
__device__ inline float worst_rounding(const float *table, float factor) {
  float worst = 0;
  for (uint32_t i = 0; i < 16; i++) {
    const float value = __fmul_rn(table[i], factor), error = fabsf(__fadd_rn(Float16::widen(Float16::narrow(value)), -value));
    worst = fmaxf(worst, value == 0 ? 0 : __fdiv_rn(error, fabsf(value)));
  }
  return worst;
}

// The factor, the same in every lane of a whole warp.
__device__ inline float table_factor(const float *table) {
  const uint32_t lane = threadIdx.x % 32;
  const float factor = __fmul_rn(table_magnitude(table), candidate_mantissa(lane));
  const uint32_t error = __float_as_uint(worst_rounding(table, factor));
  uint32_t least = error;
  for (uint32_t apart = 16; apart > 0; apart /= 2) least = min(least, __shfl_xor_sync(~0u, least, apart));
  return __shfl_sync(~0u, factor, __ffs(static_cast<int>(__ballot_sync(~0u, error == least))) - 1);
}

class PairTable {
 public:
  // A copy for every lane, each in a bank of its own: no two lanes ever wait for each other.
  static constexpr uint32_t kCopies = 32, kBytes = 256 * kCopies * sizeof(uint32_t);

  __device__ PairTable() : lane_bytes_(threadIdx.x % kCopies * sizeof(uint32_t)) {}

  // All threads of a block; they meet elsewhere. Returns what sums of its products are multiplied with.
  __device__ float fill(const float *table) const {
    const float factor = table_factor(table);
    const uint32_t lane = threadIdx.x % 32;
    const uint32_t mine = Float16::narrow(__fmul_rn(table[lane % 16], factor));
    // Lane l holds code l % 16. The high nibble is the first element.
    for (uint32_t byte = threadIdx.x / 32; byte < 256; byte += blockDim.x / 32) {
      const uint32_t first = __shfl_sync(~0u, mine, static_cast<int>(byte >> 4)), second = __shfl_sync(~0u, mine, static_cast<int>(byte & 15));
      pairs()[byte * kCopies + lane] = first | second << 16;
    }
    return __frcp_rn(factor);
  }

  // Of byte i of a word of codes. The address takes two operations: a shift, and a mask with the lane put in.
  __device__ uint32_t at(uint32_t codes, uint32_t i) const {
    const uint32_t place = i == 0 ? codes << 7 : codes >> (8 * i - 7);
    return *reinterpret_cast<const uint32_t *>(reinterpret_cast<const char *>(pairs()) + ((place & 0x7f80) | lane_bytes_));
  }

 private:
  // Not dynamic: then its address is part of the load.
  static __device__ uint32_t *pairs() {
    __shared__ uint32_t memory[kBytes / sizeof(uint32_t)];
    return memory;
  }

  uint32_t lane_bytes_;
};

}  // namespace hb
