// Which blocks a SIMD quantizer takes: the full ones. The partial last block, which has rules of its own, and everything it does not suit go
// to the scalar kernel. Internal linkage, see simd_avx512.h.
#pragma once
#include <stdint.h>

namespace hb {
namespace {

// Runs fast(begin, end) on blocks below `full` and scalar(begin, end) on the rest; the lowest fault of both, or -1.
template <typename Fast, typename Scalar>
inline int64_t full_blocks_fast(uint64_t full, uint64_t begin, uint64_t end, const Fast &fast, const Scalar &scalar) {
  const uint64_t split = end < full ? end : full;
  const int64_t fault = begin < split ? fast(begin, split) : -1;
  const uint64_t rest = begin < split ? split : begin;
  if (rest >= end) return fault;
  const int64_t found = scalar(rest, end);
  return fault < 0 ? found : fault;
}

}  // namespace
}  // namespace hb
