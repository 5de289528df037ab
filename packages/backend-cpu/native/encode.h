// From scaled values to codes: one function object per decision rule (core/src/reference/encode.ts).
#pragma once
#include "float32.h"
#include "halfbyte_formats.h"
#include "kernels.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// Number of ascending bounds strictly below x; NaN counts as above all of them, as in torch.bucketize. A binary search without
// branches: of 2^k − 1 bounds each step halves exactly.
template <uint32_t size>
uint32_t count_below(const float (&bounds)[size], float x) {
  static_assert((size & (size + 1)) == 0, "2^k - 1 bounds");
  uint32_t low = 0;
  for (uint32_t step = (size + 1) / 2; step > 0; step /= 2) low += step * static_cast<uint32_t>(!(x <= bounds[low + step - 1]));
  return low;
}

// A tie goes to the lower value, NaN to the highest code.
struct NearestOf16 {
  const Format4 &format;
  uint8_t operator()(float x) const { return format.order[count_below(format.bounds, x)]; }
};

// The CUDA decision tree asks x > t for each threshold: NaN compares false and gives the lowest value.
struct CountAbove {
  const Format4 &format;
  uint8_t operator()(float x) const { return format.order[is_nan(x) ? 0 : count_below(format.bounds, x)]; }
};

// FP4 on CUDA decides on |x| with thresholds of its own.
struct SignMagnitude {
  uint8_t operator()(float x) const {
    const uint32_t interval = is_nan(x) ? 0 : count_below(HB_FP4_CUDA_THRESHOLDS, std::fabs(x));
    return static_cast<uint8_t>(HB_FP4_CUDA_CODES[interval] + (x < 0 ? HB_FP4_SIGN_BIT : 0));
  }
};

// Calls run with the decision rule of a format under a profile.
template <class Run>
void with_encoder(const Format4 &format, hb_profile profile, Run run) {
  if (profile != HB_CUDA) run(NearestOf16{format});
  else if (format.format == HB_FP4) run(SignMagnitude{});
  else run(CountAbove{format});
}

struct NearestOf256 {
  const Map8 &map;
  uint8_t operator()(float x) const { return static_cast<uint8_t>(count_below(map.bounds, x)); }
};

// Ties to the even index, as the binary search of upstream's CUDA source ends; NaN gives 0.
struct NearestTieToEven {
  const Map8 &map;
  uint8_t operator()(float x) const {
    const uint32_t lower = is_nan(x) ? 0 : count_below(map.bounds, x);
    const bool moves_up = lower % 2 == 1 && lower < 255 && x == map.bounds[lower];
    return static_cast<uint8_t>(lower + moves_up);
  }
};

template <class Run>
void with_encoder(const Map8 &map, hb_profile profile, Run run) {
  if (profile == HB_CUDA) run(NearestTieToEven{map});
  else run(NearestOf256{map});
}

}  // namespace
}  // namespace hb
