// Floats of the three dtypes, eight to a thread: wide loads and stores, widening to f32, one rounding to nearest even back.
#pragma once
#include <cstdint>

#include "divisor.cuh"
#include "halfbyte.h"
#include "launch.cuh"
#if defined(HB_EMULATED)
#include "float16.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace hb {

// What a thread takes of a flat tensor.
constexpr uint32_t kPerThread = 8;

struct Float32 {
  using Storage = float;
  static __device__ float widen(float value) { return value; }
  static __device__ float narrow(float value) { return value; }
};

struct Float16 {
  using Storage = uint16_t;
#if defined(HB_EMULATED)
  static float widen(uint16_t bits) { return widen_float16(bits); }
  static uint16_t narrow(float value) { return narrow_to_float16(value); }
  static uint32_t narrow_pair(float first, float second) { return narrow(first) | static_cast<uint32_t>(narrow(second)) << 16; }
#else
  static __device__ float widen(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
  static __device__ uint16_t narrow(float value) { return __half_as_ushort(__float2half_rn(value)); }
  // The first in the low half.
  static __device__ uint32_t narrow_pair(float first, float second) {
    const __half2_raw pair = __floats2half2_rn(first, second);
    return pair.x | static_cast<uint32_t>(pair.y) << 16;
  }
#endif
};

struct Bfloat16 {
  using Storage = uint16_t;
  static __device__ float widen(uint16_t bits) { return __uint_as_float(static_cast<uint32_t>(bits) << 16); }
#if defined(HB_EMULATED)
  static uint16_t narrow(float value) { return narrow_to_bfloat16(value); }
#else
  static __device__ uint16_t narrow(float value) { return static_cast<__nv_bfloat16_raw>(__float2bfloat16_rn(value)).x; }
#endif
};

// Calls run(Element{}) for a dtype.
template <class Run>
void with_element(hb_dtype dtype, const Run &run) {
  if (dtype == HB_FLOAT32) run(Float32{});
  else if (dtype == HB_FLOAT16) run(Float16{});
  else run(Bfloat16{});
}

// Eight elements as 16-byte words.
template <class Element>
union Octet {
  static constexpr int kWords = kPerThread * sizeof(typename Element::Storage) / sizeof(uint4);
  __device__ Octet() {}
  uint4 words[kWords];
  typename Element::Storage elements[kPerThread];
};

// Elements [first, first + 8) of `size` as f32, zeros beyond the end. `first` is a multiple of 8.
template <class Element>
__device__ void load(const typename Element::Storage *x, uint64_t size, uint64_t first, float (&values)[kPerThread]) {
  Octet<Element> octet;
  if (first + kPerThread <= size) {
    const uint4 *words = reinterpret_cast<const uint4 *>(x + first);
    for (int i = 0; i < Octet<Element>::kWords; i++) octet.words[i] = words[i];
  } else {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) octet.elements[i] = first + i < size ? x[first + i] : typename Element::Storage(0);
  }
  for (uint32_t i = 0; i < kPerThread; i++) values[i] = Element::widen(octet.elements[i]);
}

// The reverse, without a byte beyond the end.
template <class Element>
__device__ void store(const float (&values)[kPerThread], typename Element::Storage *out, uint64_t size, uint64_t first) {
  Octet<Element> octet;
  for (uint32_t i = 0; i < kPerThread; i++) octet.elements[i] = Element::narrow(values[i]);
  if (first + kPerThread <= size) {
    uint4 *words = reinterpret_cast<uint4 *>(out + first);
    for (int i = 0; i < Octet<Element>::kWords; i++) words[i] = octet.words[i];
  } else {
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
      if (first + i < size) out[first + i] = octet.elements[i];
  }
}

// Whether vectors of `bytes` may lie there. Memory of this library is aligned, but the second row of a stacked state starts anywhere.
__host__ __device__ inline bool is_aligned(const void *data, uint32_t bytes) { return (reinterpret_cast<uintptr_t>(data) & (bytes - 1)) == 0; }

// Codes of a byte each, of elements [first, first + 8), `first` a multiple of 8; those from `size` on are not there: code 0.
__device__ inline uint2 load_bytes(const uint8_t *codes, uint64_t size, uint64_t first, bool aligned = true) {
  if (first + kPerThread <= size && aligned) return reinterpret_cast<const uint2 *>(codes)[first / kPerThread];
  uint2 bytes = {0, 0};
  HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
    if (first + i < size) (i < 4 ? bytes.x : bytes.y) |= static_cast<uint32_t>(codes[first + i]) << 8 * (i % 4);
  return bytes;
}

__device__ inline uint32_t byte_of(uint2 bytes, uint32_t i) { return (i < 4 ? bytes.x : bytes.y) >> 8 * (i % 4) & 255; }

__device__ inline void store_bytes(const uint32_t (&codes)[kPerThread], uint8_t *out, uint64_t size, uint64_t first, bool aligned = true) {
  if (first + kPerThread <= size && aligned) {
    uint2 bytes = {0, 0};
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++) (i < 4 ? bytes.x : bytes.y) |= codes[i] << 8 * (i % 4);
    reinterpret_cast<uint2 *>(out)[first / kPerThread] = bytes;
    return;
  }
  HB_UNROLL for (uint32_t i = 0; i < kPerThread; i++)
    if (first + i < size) out[first + i] = static_cast<uint8_t>(codes[i]);
}

// The quantization block of an element.
class BlockOf {
 public:
  explicit BlockOf(uint64_t block_size) : size_(block_size) {}
  __device__ uint64_t operator()(uint64_t element) const { return size_.quotient(element); }
  __device__ uint64_t size() const { return size_.value(); }

 private:
  Divisor size_;
};

}  // namespace hb
