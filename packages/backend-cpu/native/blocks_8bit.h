// Blocks on their way to 8-bit codes, for every instruction set: which of them vectors take, and what is the same for all of those.
#pragma once
#include "block_reciprocal.h"
#include "float16.h"
#include "kernels.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

struct Blocks8 {
  Floats x;
  uint64_t size;
  const Map8 &map;
  uint64_t block_size;
  hb_profile profile;
  bool look;
  uint8_t *codes;
  float *absmax;

  int64_t scalar(uint64_t begin, uint64_t end) const {
    return scalar_kernels.quantize_blockwise(x, size, map, block_size, profile, look, begin, end, codes, absmax);
  }

  // Blocks [begin, end): the bits of the largest magnitude from largest(first), then encode(first, reciprocal). Blocks with rules of their own go to
  // the scalar kernel.
  template <class Largest, class Encode>
  int64_t each(uint64_t begin, uint64_t end, const Largest &largest, const Encode &encode) const {
    int64_t fault = -1;
    for (uint64_t block = begin; block < end; block++) {
      const uint64_t first = block * block_size;
      const uint32_t bits = largest(first);
      if (is_plain(bits)) {
        absmax[block] = from_bits(bits);
        encode(first, block_reciprocal(absmax[block]));
      } else {
        const int64_t found = scalar(block, block + 1);
        if (fault < 0) fault = found;
      }
    }
    return fault;
  }

 private:
  // Values that are not finite have rules of their own; so has an absmax that profile cuda does not raise before it is inverted.
  bool is_plain(uint32_t absmax_bits) const { return absmax_bits < 0x7f800000 && (profile != HB_CUDA || from_bits(absmax_bits) > 1e-38f); }
};

}  // namespace
}  // namespace hb
