// From scaled values to codes (core/src/reference/encode.ts). An encoder keeps what it looks up in shared memory: every thread looks up something else.
#pragma once
#include "block_scale.cuh"
#include "format4.h"

namespace hb {

// Number of the 2^k − 1 ascending bounds strictly below x; NaN counts as above all of them. Each step halves exactly.
template <uint32_t count>
__device__ uint32_t count_below(const float *bounds, float x) {
  static_assert((count & (count + 1)) == 0, "2^k - 1 bounds");
  uint32_t low = 0;
  for (uint32_t step = (count + 1) / 2; step > 0; step /= 2) low += !(x <= bounds[low + step - 1]) ? step : 0;
  return low;
}

__device__ inline bool is_nan(float value) { return value != value; }

// Two codes to a byte, the first in the high nibble.
class Encoder4 {
 public:
  static constexpr uint32_t kBounds = 15;
  static constexpr bool kDividesTail = true;
  struct Shared {
    float bounds[kBounds];
  };
  // Elements that share a byte.
  static constexpr uint32_t kUnit = 2;

  // On the host. Profile cuda decides FP4 by thresholds on |x| of its own, and everything else by x > t, for which NaN is the lowest value.
  Encoder4(const float *code, hb_format format, hb_profile profile) : nan_is_lowest_(profile == HB_CUDA) {
    if (profile == HB_CUDA && format == HB_FP4) decide_by_magnitude();
    else decide_by_table(make_format4(code, format));
  }

  // All threads of a block; they meet before it returns.
  __device__ void prepare(Shared &shared) const {
    // One by one: an index that threads do not share would put the parameters into local memory.
    if (threadIdx.x == 0)
      for (uint32_t i = 0; i < kBounds; i++) shared.bounds[i] = bounds_[i];
    __syncthreads();
  }

  template <uint32_t count>
  __device__ void encode(const Shared &shared, const float (&scaled)[count], uint32_t (&codes)[count]) const {
    for (uint32_t i = 0; i < count; i++) codes[i] = encode(shared, scaled[i]);
  }

  __device__ uint32_t encode(const Shared &shared, float scaled) const {
    const float looked_up = sign_bit_ != 0 ? fabsf(scaled) : scaled;
    const uint32_t below = nan_is_lowest_ && is_nan(scaled) ? 0 : count_below<kBounds>(shared.bounds, looked_up);
    const uint32_t code = static_cast<uint32_t>(order_ >> 4 * below) & 15;
    return scaled < 0 ? code + sign_bit_ : code;
  }

  // Codes of elements [first, first + 8), `first` a multiple of 8; those from `size` on are not there. Half a byte left over holds the code of 0.
  __device__ void store(const Shared &shared, const uint32_t (&codes)[kPerThread], uint8_t *out, uint64_t size, uint64_t first) const {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < kPerThread; i += 2) bytes |= (codes[i] << 4 | codes[i + 1]) << 4 * i;
    if (first + kPerThread <= size) {
      reinterpret_cast<uint32_t *>(out)[first / kPerThread] = bytes;
      return;
    }
    HB_UNROLL for (uint32_t i = 0; i < kPerThread; i += 2) {
      const uint32_t second = first + i + 1 < size ? codes[i + 1] : encode(shared, 0);
      if (first + i < size) out[(first + i) / 2] = static_cast<uint8_t>(codes[i] << 4 | second);
    }
  }

  // The unit of elements at `first`; `has_second` says whether the tensor goes on.
  __device__ void store_unit(const Shared &shared, float a, float b, bool has_second, uint8_t *out, uint64_t first) const {
    out[first / 2] = static_cast<uint8_t>(encode(shared, a) << 4 | encode(shared, has_second ? b : 0));
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
//
// A binary search of 255 bounds takes eight steps. Here a table says where to begin: for an interval of floats of one sign, one exponent and the same first
// six bits of the mantissa, how many bounds lie below it. What is left are the bounds within: one with the signed map of bitsandbytes, two with the
// unsigned one, so that one or two steps are left. Other maps take as many as their most crowded interval needs.
class Encoder8 {
 public:
  static constexpr uint32_t kBounds = 255;
  static constexpr bool kDividesTail = false;
  static constexpr uint32_t kUnit = 1;

 private:
  // Magnitudes up to 2^-22 share the first interval, those from 1 on the last; negative ones mirror them.
  static constexpr uint32_t kSmallest = 0x34800000, kShift = 17;
  static constexpr int32_t kIntervals = static_cast<int32_t>((0x3f800000 - kSmallest) >> kShift) + 1;

 public:
  struct Shared {
    float bounds[kBounds];
    // Of the most crowded interval, until the first step is known.
    uint32_t most, first_step;
    uint8_t below[2 * kIntervals];
  };

  Encoder8(const float *map, hb_profile profile) : map_(map), ties_to_even_(profile == HB_CUDA) {}

  // All threads of a block; they meet before it returns.
  __device__ void prepare(Shared &shared) const {
    // Of both zeros the one that lies in the interval of the values above it.
    for (uint32_t i = threadIdx.x; i < kBounds; i += blockDim.x) shared.bounds[i] = __fadd_rn(__fmul_rn(__fadd_rn(map_[i], map_[i + 1]), 0.5f), 0.f);
    if (threadIdx.x == 0) shared.most = 1;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < kBounds; i += blockDim.x) measure_crowd(shared, i);
    __syncthreads();
    const uint32_t first_step = first_step_for(shared.most);
    if (threadIdx.x == 0) shared.first_step = first_step;
    // Whoever begins lower still counts right: so that no step looks beyond the last bound.
    for (uint32_t i = threadIdx.x; i <= kBounds; i += blockDim.x) fill(shared, i, min(i, kBounds + 1 - 2 * first_step));
    __syncthreads();
  }

  // Values between −1 and 1, or NaN. A tie goes to the lower code and NaN gives the highest; under profile cuda a tie goes to the even code and NaN gives 0,
  // which is how its blocks of zeros get code 0.
  template <uint32_t count>
  __device__ void encode(const Shared &shared, const float (&scaled)[count], uint32_t (&codes)[count], bool may_be_nan = true) const {
    HB_UNROLL for (uint32_t i = 0; i < count; i++) codes[i] = shared.below[kIntervals + interval(scaled[i])];
    HB_UNROLL_BY(1) for (uint32_t step = shared.first_step; step > 1; step /= 2) {
      HB_UNROLL for (uint32_t i = 0; i < count; i++) codes[i] += !(scaled[i] <= shared.bounds[codes[i] + step - 1]) ? step : 0;
    }
    HB_UNROLL for (uint32_t i = 0; i < count; i++) codes[i] += !(scaled[i] <= shared.bounds[codes[i]]);
    if (!may_be_nan && !ties_to_even_) return;
    HB_UNROLL for (uint32_t i = 0; i < count; i++) codes[i] = !is_nan(scaled[i]) ? codes[i] : ties_to_even_ ? 0 : kBounds;
    if (!ties_to_even_) return;
    HB_UNROLL for (uint32_t i = 0; i < count; i++)
      if (codes[i] % 2 == 1 && codes[i] < kBounds && scaled[i] == shared.bounds[codes[i]]) codes[i]++;
  }

  __device__ void store(const Shared &, const uint32_t (&codes)[kPerThread], uint8_t *out, uint64_t size, uint64_t first) const {
    store_bytes(codes, out, size, first);
  }

  __device__ void store_unit(const Shared &shared, float a, float, bool, uint8_t *out, uint64_t first) const {
    const float scaled[1] = {a};
    uint32_t codes[1];
    encode(shared, scaled, codes);
    out[first] = static_cast<uint8_t>(codes[0]);
  }

 private:
  // From −kIntervals to kIntervals − 1 for values between −1 and 1, in their order; 0 or −1 for NaN.
  static __device__ int32_t interval(float x) {
    const uint32_t magnitude = __float_as_uint(fmaxf(fabsf(x), __uint_as_float(kSmallest))) - kSmallest;
    return static_cast<int32_t>(magnitude >> kShift) ^ static_cast<int32_t>(__float_as_uint(x)) >> 31;
  }
  // Bounds of a map may lie anywhere.
  static __device__ int32_t interval_of_bound(float bound) { return interval(bound > 1 ? 1 : bound < -1 ? -1 : bound); }

  // Bounds from i on that lie in the interval of bound i.
  static __device__ void measure_crowd(Shared &shared, uint32_t i) {
    uint32_t end = i + 1;
    while (end < kBounds && interval_of_bound(shared.bounds[end]) == interval_of_bound(shared.bounds[i])) end++;
    if (end - i > 1) atomicMax(&shared.most, end - i);
  }

  // Steps of s, s/2, … 1 tell 2s − 1 bounds apart.
  static __device__ uint32_t first_step_for(uint32_t bounds) {
    uint32_t step = 1;
    while (2 * step - 1 < bounds) step *= 2;
    return step;
  }

  // The intervals after that of bound i − 1, up to that of bound i.
  static __device__ void fill(Shared &shared, uint32_t i, uint32_t below) {
    const int32_t begin = i == 0 ? -kIntervals : interval_of_bound(shared.bounds[i - 1]) + 1;
    const int32_t end = i == kBounds ? kIntervals : interval_of_bound(shared.bounds[i]) + 1;
    HB_UNROLL_BY(1) for (int32_t k = begin; k < end; k++) shared.below[kIntervals + k] = static_cast<uint8_t>(below);
  }

  const float *map_;
  bool ties_to_even_;
};

}  // namespace hb
