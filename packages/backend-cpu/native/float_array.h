// Float arrays of any dtype, a piece at a time as f32 on the stack: kernels allocate nothing.
#pragma once
#include <cstddef>

#include "float16.h"
#include "float32.h"
#include "kernels.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

constexpr uint64_t piece_size = 256;

// Calls run(at, count) for consecutive pieces of [begin, end).
template <class Run>
void for_each_piece(uint64_t begin, uint64_t end, Run run) {
  for (uint64_t at = begin; at < end; at += piece_size) run(at, end - at < piece_size ? end - at : piece_size);
}

// Block `block` of `size` elements: [begin, end), the last one possibly partial.
struct BlockRange {
  uint64_t begin, end;
};
inline BlockRange block_range(uint64_t block, uint64_t block_size, uint64_t size) {
  const uint64_t begin = block * block_size;
  return {begin, size - begin < block_size ? size : begin + block_size};
}

[[gnu::noinline]] inline void widen(Floats source, uint64_t begin, uint64_t count, float *out) {
  if (source.dtype == HB_FLOAT32) {
    std::memcpy(out, static_cast<const float *>(source.data) + begin, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const uint16_t *halves = static_cast<const uint16_t *>(source.data) + begin;
  if (source.dtype == HB_FLOAT16)
    for (uint64_t i = 0; i < count; i++) out[i] = widen_float16(halves[i]);
  else
    for (uint64_t i = 0; i < count; i++) out[i] = widen_bfloat16(halves[i]);
}

// The elements themselves when they are f32, else `buffer` filled with them. Not for arrays that are written meanwhile.
inline const float *widened(Floats source, uint64_t begin, uint64_t count, float *buffer) {
  if (source.dtype == HB_FLOAT32) return static_cast<const float *>(source.data) + begin;
  widen(source, begin, count, buffer);
  return buffer;
}

[[gnu::noinline]] inline void narrow(const float *values, uint64_t count, MutableFloats target, uint64_t begin) {
  if (target.dtype == HB_FLOAT32) {
    std::memcpy(static_cast<float *>(target.data) + begin, values, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  uint16_t *halves = static_cast<uint16_t *>(target.data) + begin;
  if (target.dtype == HB_FLOAT16)
    for (uint64_t i = 0; i < count; i++) halves[i] = narrow_to_float16(values[i]);
  else
    for (uint64_t i = 0; i < count; i++) halves[i] = narrow_to_bfloat16(values[i]);
}

// Index of the first value that is not finite, or −1.
inline int64_t first_non_finite(const float *values, uint64_t count) {
  for (uint64_t i = 0; i < count; i++)
    if (!is_finite(values[i])) return static_cast<int64_t>(i);
  return -1;
}

}  // namespace
}  // namespace hb
