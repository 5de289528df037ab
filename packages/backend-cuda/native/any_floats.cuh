// Floats of a dtype that a kernel learns when it runs: a test in a kernel that memory holds up costs nothing, a kernel for each pair of dtypes costs room.
//
// What is loaded stays as it is until it is needed, so that a thread has all of its loads under way at once.
#pragma once
#include "elements.cuh"

namespace hb {

struct AnyFloats {
  void *data;
  hb_dtype dtype;
};

// Eight elements as they lie in memory; 16-bit ones fill the first word.
union RawOctet {
  __device__ RawOctet() {}
  uint4 words[2];
  float singles[kPerThread];
  uint16_t halves[kPerThread];
};

// Elements [first, first + 8) of `size`, zeros beyond the end.
__device__ inline RawOctet load_raw(AnyFloats x, uint64_t size, uint64_t first) {
  RawOctet raw;
  const bool is_single = x.dtype == HB_FLOAT32;
  const float *singles = static_cast<const float *>(x.data) + first;
  const uint16_t *halves = static_cast<const uint16_t *>(x.data) + first;
  if (first + kPerThread <= size && is_aligned(x.data, sizeof(uint4))) {
    const uint4 *words = is_single ? reinterpret_cast<const uint4 *>(singles) : reinterpret_cast<const uint4 *>(halves);
    raw.words[0] = words[0];
    if (is_single) raw.words[1] = words[1];
  } else if (is_single) {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) raw.singles[i] = first + i < size ? singles[i] : 0;
  } else {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) raw.halves[i] = first + i < size ? halves[i] : uint16_t(0);
  }
  return raw;
}

__device__ inline void widen(const RawOctet &raw, hb_dtype dtype, float (&values)[kPerThread]) {
  if (dtype == HB_FLOAT32) {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) values[i] = raw.singles[i];
  } else if (dtype == HB_FLOAT16) {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) values[i] = Float16::widen(raw.halves[i]);
  } else {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) values[i] = Bfloat16::widen(raw.halves[i]);
  }
}

// One element.
__device__ inline float load_one(AnyFloats x, uint64_t index) {
  if (x.dtype == HB_FLOAT32) return static_cast<const float *>(x.data)[index];
  const uint16_t bits = static_cast<const uint16_t *>(x.data)[index];
  return x.dtype == HB_FLOAT16 ? Float16::widen(bits) : Bfloat16::widen(bits);
}

__device__ inline void store_one(float value, AnyFloats out, uint64_t index) {
  if (out.dtype == HB_FLOAT32) static_cast<float *>(out.data)[index] = value;
  else static_cast<uint16_t *>(out.data)[index] = out.dtype == HB_FLOAT16 ? Float16::narrow(value) : Bfloat16::narrow(value);
}

// Rounds to the dtype; not a byte beyond the end.
__device__ inline void store(const float (&values)[kPerThread], AnyFloats out, uint64_t size, uint64_t first) {
  if (first + kPerThread > size || !is_aligned(out.data, sizeof(uint4))) {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
      if (first + i < size) store_one(values[i], out, first + i);
  } else if (out.dtype == HB_FLOAT32) {
    store<Float32>(values, static_cast<float *>(out.data), size, first);
  } else if (out.dtype == HB_FLOAT16) {
    store<Float16>(values, static_cast<uint16_t *>(out.data), size, first);
  } else {
    store<Bfloat16>(values, static_cast<uint16_t *>(out.data), size, first);
  }
}

}  // namespace hb
