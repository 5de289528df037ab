// What the codes of a block are multiplied with: f32 numbers, or 8-bit codes that have scales themselves.
#pragma once
#include <cstdint>

#include "launch.cuh"

namespace hb {

struct BlockScales {
  const float *absmax;  // null when nested
  const uint8_t *codes;
  const float *nested_absmax, *nested_code;
  uint32_t nested_shift;  // 2 to this are the blocks that share a nested scale
  // Added in f32; 0 adds nothing, because adding 0 would turn −0 into +0.
  float offset;

  __device__ float at(uint64_t block) const {
    if (absmax) return absmax[block];
    const float scaled = __fmul_rn(nested_code[codes[block]], nested_absmax[block >> nested_shift]);
    return offset != 0 ? __fadd_rn(scaled, offset) : scaled;
  }
};

inline uint32_t log2_of(uint32_t power) {
  uint32_t shift = 0;
  while (power >> shift > 1) shift++;
  return shift;
}

inline BlockScales plain_scales(const float *absmax) { return {absmax, nullptr, nullptr, nullptr, 0, 0}; }

inline BlockScales nested_scales(const uint8_t *codes, const float *nested_absmax, const float *nested_code, uint32_t nested_block_size,
                                 float offset) {
  return {nullptr, codes, nested_absmax, nested_code, log2_of(nested_block_size), offset};
}

}  // namespace hb
