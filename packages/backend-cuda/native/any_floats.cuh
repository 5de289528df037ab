// Floats of a dtype that a kernel learns when it runs: a test in a kernel that waits for memory costs nothing, a kernel for each pair of dtypes costs room.
//
// What is loaded stays as it is until it is needed, so that a thread has all of its loads under way at once.
#pragma once
#include <type_traits>

#include "elements.cuh"

namespace hb {

struct AnyFloats {
  void *data;
  hb_dtype dtype;
  bool aligned;

  __host__ __device__ AnyFloats(void *d, hb_dtype t) : data(d), dtype(t), aligned(is_aligned(d, sizeof(uint4))) {}
};

// 4 or 8 neighbouring elements as they lie in memory; 16-bit ones fill the first half.
template <uint32_t count>
union RawFloats {
  using Halves = std::conditional_t<count == 8, uint4, uint2>;
  __device__ RawFloats() {}
  uint4 words[count / 4];
  Halves packed;
  float singles[count];
  uint16_t halves[count];
};

// Elements [first, first + count) of `size`, zeros beyond the end; `first` is a multiple of count.
template <uint32_t count>
__device__ RawFloats<count> load_raw(AnyFloats x, uint64_t size, uint64_t first) {
  RawFloats<count> raw;
  const bool is_single = x.dtype == HB_FLOAT32, is_whole = first + count <= size && x.aligned;
  const float *singles = static_cast<const float *>(x.data) + first;
  const uint16_t *halves = static_cast<const uint16_t *>(x.data) + first;
  if (is_whole && is_single) {
    HB_UNROLL for (uint32_t i = 0; i < count / 4; i++) raw.words[i] = reinterpret_cast<const uint4 *>(singles)[i];
  } else if (is_whole) {
    raw.packed = *reinterpret_cast<const typename RawFloats<count>::Halves *>(halves);
  } else if (is_single) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) raw.singles[i] = first + i < size ? singles[i] : 0;
  } else {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) raw.halves[i] = first + i < size ? halves[i] : uint16_t(0);
  }
  return raw;
}

template <uint32_t count>
__device__ void widen(const RawFloats<count> &raw, hb_dtype dtype, float (&values)[count]) {
  if (dtype == HB_FLOAT32) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) values[i] = raw.singles[i];
  } else if (dtype == HB_FLOAT16) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) values[i] = Float16::widen(raw.halves[i]);
  } else {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) values[i] = Bfloat16::widen(raw.halves[i]);
  }
}

template <uint32_t count>
__device__ RawFloats<count> narrow(const float (&values)[count], hb_dtype dtype) {
  RawFloats<count> raw;
  if (dtype == HB_FLOAT32) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) raw.singles[i] = values[i];
  } else if (dtype == HB_FLOAT16) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) raw.halves[i] = Float16::narrow(values[i]);
  } else {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) raw.halves[i] = Bfloat16::narrow(values[i]);
  }
  return raw;
}

// Rounds to the dtype; not a byte beyond the end.
template <uint32_t count>
__device__ void store(const float (&values)[count], AnyFloats out, uint64_t size, uint64_t first) {
  const RawFloats<count> raw = narrow(values, out.dtype);
  const bool is_single = out.dtype == HB_FLOAT32, is_whole = first + count <= size && out.aligned;
  float *singles = static_cast<float *>(out.data) + first;
  uint16_t *halves = static_cast<uint16_t *>(out.data) + first;
  if (is_whole && is_single) {
    HB_UNROLL for (uint32_t i = 0; i < count / 4; i++) reinterpret_cast<uint4 *>(singles)[i] = raw.words[i];
  } else if (is_whole) {
    *reinterpret_cast<typename RawFloats<count>::Halves *>(halves) = raw.packed;
  } else if (is_single) {
    HB_UNROLL for (uint32_t i = 0; i < count; i++)
      if (first + i < size) singles[i] = raw.singles[i];
  } else {
    HB_UNROLL for (uint32_t i = 0; i < count; i++)
      if (first + i < size) halves[i] = raw.halves[i];
  }
}

__device__ inline float load_one(AnyFloats x, uint64_t index) {
  if (x.dtype == HB_FLOAT32) return static_cast<const float *>(x.data)[index];
  const uint16_t bits = static_cast<const uint16_t *>(x.data)[index];
  return x.dtype == HB_FLOAT16 ? Float16::widen(bits) : Bfloat16::widen(bits);
}

__device__ inline void store_one(float value, AnyFloats out, uint64_t index) {
  if (out.dtype == HB_FLOAT32) static_cast<float *>(out.data)[index] = value;
  else static_cast<uint16_t *>(out.data)[index] = out.dtype == HB_FLOAT16 ? Float16::narrow(value) : Bfloat16::narrow(value);
}

}  // namespace hb
