// Decoding of packed 4-bit elements: table value times absmax in f32. The same rule for every format and profile.
#pragma once
#include <cstdint>

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// Code of element `index`; the first of a byte is in its high nibble.
inline uint32_t code_at(const uint8_t *codes, uint64_t index) {
  return index % 2 == 0 ? codes[index / 2] >> 4 : codes[index / 2] & 15u;
}

// Elements [begin, begin + count) of the flat tensor, which may straddle blocks.
inline void decode_4bit(const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, uint64_t begin, uint64_t count,
                        float *out) {
  uint64_t block = begin / block_size;
  uint64_t block_end = (block + 1) * block_size;
  for (uint64_t i = begin; i < begin + count; i++) {
    if (i == block_end) {
      block++;
      block_end += block_size;
    }
    out[i - begin] = code[code_at(codes, i)] * absmax[block];
  }
}

}  // namespace
}  // namespace hb
