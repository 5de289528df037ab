// From scaled values to codes (core/src/reference/encode.ts). An encoder keeps its ascending bounds in shared memory: every thread looks up
// another one.
#pragma once
#include "block_scale.cuh"
#include "format4.h"

namespace hb {

// Where a bound lies: each 32 are followed by a gap of one, so that the bounds that threads compare with in one step of a search, which are a power of two
// apart, do not share a bank.
__host__ __device__ constexpr uint32_t place_of(uint32_t bound) { return bound + bound / 32; }

// Number of the 2^k − 1 ascending bounds strictly below x; NaN counts as above all of them. Each step halves exactly.
template <uint32_t count>
__device__ uint32_t count_below(const float *bounds, float x) {
  static_assert((count & (count + 1)) == 0, "2^k - 1 bounds");
  // The place of a bound that is a multiple of all steps to come.
  uint32_t low = 0;
  HB_UNROLL for (uint32_t step = (count + 1) / 2; step > 0; step /= 2) low += !(x <= bounds[low + place_of(step - 1)]) ? place_of(step) : 0;
  return count < 32 ? low : low - low / 33;
}

__device__ inline bool is_nan(float value) { return value != value; }

// Two codes to a byte, the first in the high nibble.
class Encoder4 {
 public:
  static constexpr uint32_t kBounds = 15;
  static constexpr bool kDividesTail = true;
  // Elements that share a byte.
  static constexpr uint32_t kUnit = 2;

  // On the host. Profile cuda decides FP4 by thresholds on |x| of its own, and everything else by x > t, for which NaN is the lowest value.
  Encoder4(const float *code, hb_format format, hb_profile profile) : nan_is_lowest_(profile == HB_CUDA) {
    if (profile == HB_CUDA && format == HB_FP4) decide_by_magnitude();
    else decide_by_table(make_format4(code, format));
  }

  // All threads of a block; they meet before it returns.
  __device__ void prepare(float *bounds) const {
    // One by one: an index that threads do not share would put the parameters into local memory.
    if (threadIdx.x == 0)
      for (uint32_t i = 0; i < kBounds; i++) bounds[i] = bounds_[i];
    __syncthreads();
  }

  __device__ uint32_t encode(const float *bounds, float scaled) const {
    const float looked_up = sign_bit_ != 0 ? fabsf(scaled) : scaled;
    const uint32_t below = nan_is_lowest_ && is_nan(scaled) ? 0 : count_below<kBounds>(bounds, looked_up);
    const uint32_t code = static_cast<uint32_t>(order_ >> 4 * below) & 15;
    return scaled < 0 ? code + sign_bit_ : code;
  }

  // Codes of elements [first, first + 8), `first` a multiple of 8; those from `size` on are not there. Half a byte left over holds the code of 0.
  __device__ void store(const float *bounds, const uint32_t (&codes)[kPerThread], uint8_t *out, uint64_t size, uint64_t first) const {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < kPerThread; i += 2) bytes |= (codes[i] << 4 | codes[i + 1]) << 4 * i;
    if (first + kPerThread <= size) {
      reinterpret_cast<uint32_t *>(out)[first / kPerThread] = bytes;
      return;
    }
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i += 2) {
      const uint32_t second = first + i + 1 < size ? codes[i + 1] : encode(bounds, 0);
      if (first + i < size) out[(first + i) / 2] = static_cast<uint8_t>(codes[i] << 4 | second);
    }
  }

  // The unit of elements at `first`; `has_second` says whether the tensor goes on.
  __device__ void store_unit(const float *bounds, float a, float b, bool has_second, uint8_t *out, uint64_t first) const {
    out[first / 2] = static_cast<uint8_t>(encode(bounds, a) << 4 | encode(bounds, has_second ? b : 0));
  }

 private:
  void decide_by_table(const Format4 &table) {
    for (uint32_t i = 0; i < kBounds; i++) bounds_[i] = table.bounds[i];
    for (uint32_t i = 0; i < 16; i++) order_ |= static_cast<uint64_t>(table.order[i]) << 4 * i;
  }

  void decide_by_magnitude() {
    for (uint32_t i = 0; i < kBounds; i++) bounds_[i] = i < 7 ? HB_FP4_CUDA_THRESHOLDS[i] : INFINITY;
    for (uint32_t i = 0; i < 8; i++) order_ |= static_cast<uint64_t>(HB_FP4_CUDA_CODES[i]) << 4 * i;
    sign_bit_ = HB_FP4_SIGN_BIT;
  }

  float bounds_[kBounds];
  // Code of each interval, four bits each.
  uint64_t order_ = 0;
  uint32_t sign_bit_ = 0;
  bool nan_is_lowest_;
};

// One byte per element, through a map on the device, sorted ascending.
class Encoder8 {
 public:
  static constexpr uint32_t kBounds = place_of(254) + 1;
  static constexpr bool kDividesTail = false;
  static constexpr uint32_t kUnit = 1;

  Encoder8(const float *map, hb_profile profile) : map_(map), ties_to_even_(profile == HB_CUDA) {}

  __device__ void prepare(float *bounds) const {
    for (uint32_t i = threadIdx.x; i < 255; i += blockDim.x) bounds[place_of(i)] = __fmul_rn(__fadd_rn(map_[i], map_[i + 1]), 0.5f);
    __syncthreads();
  }

  __device__ uint32_t encode(const float *bounds, float scaled) const {
    const uint32_t code = below(bounds, scaled);
    return ties_to_even_ ? settled(bounds, scaled, code) : code;
  }

  // The code of profile reference: a tie goes to the lower one, NaN to the highest.
  __device__ uint32_t below(const float *bounds, float scaled) const { return count_below<255>(bounds, scaled); }

  // That of profile cuda from it: a tie goes to the even one, and NaN gives 0, which is how its blocks of zeros get code 0.
  __device__ uint32_t settled(const float *bounds, float scaled, uint32_t code) const {
    if (is_nan(scaled)) return 0;
    return code % 2 == 1 && code < 255 && scaled == bounds[place_of(code)] ? code + 1 : code;
  }

  __device__ void store(const float *, const uint32_t (&codes)[kPerThread], uint8_t *out, uint64_t size, uint64_t first) const {
    store_bytes(codes, out, size, first);
  }

  __device__ void store_unit(const float *bounds, float a, float, bool, uint8_t *out, uint64_t first) const {
    out[first] = static_cast<uint8_t>(encode(bounds, a));
  }

 private:
  const float *map_;
  bool ties_to_even_;
};

}  // namespace hb
