// Block by block: the largest magnitude, and what the values are multiplied with or divided by (core/src/reference/block-scale.ts).
#pragma once
#include "float_array.h"
#include "halfbyte_formats.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// A running maximum of |value|.
struct Magnitude {
  float largest = 0;
  bool has_nan = false;

  void add(float value) {
    const float magnitude = std::fabs(value);
    largest = magnitude > largest ? magnitude : largest;
    has_nan |= is_nan(magnitude);
  }

  // NaN wins, as in torch.max, except on CUDA, where fmaxf skips it.
  float absmax(hb_profile profile) const { return has_nan && profile != HB_CUDA ? NAN : largest; }
};

// What one pass over a block finds out; first_non_finite is a flat index or −1.
struct Measured {
  Magnitude magnitude;
  int64_t first_non_finite = -1;
};

inline Measured measure(Floats x, uint64_t begin, uint64_t end, bool look) {
  Measured out;
  float buffer[piece_size];
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    const float *values = widened(x, at, count, buffer);
    for (uint64_t i = 0; i < count; i++) out.magnitude.add(values[i]);
    if (!look || out.first_non_finite >= 0) return;
    const int64_t found = first_non_finite(values, count);
    if (found >= 0) out.first_non_finite = static_cast<int64_t>(at) + found;
  });
  return out;
}

// How a block is scaled, and the absmax that is stored for it.
struct Scaling {
  float absmax;
  float factor;
  bool divides;

  float operator()(float value) const { return clamp_unit(divides ? value / factor : value * factor); }
};

inline float at_least_smallest(float absmax) { return absmax < HB_SMALLEST_SCALE ? HB_SMALLEST_SCALE : absmax; }

// Blocks multiply by the rounded reciprocal. Profile cuda puts no floor under absmax: the reciprocal may be infinite there.
inline Scaling scaling_of(float absmax, hb_profile profile) {
  return {absmax, 1 / (profile == HB_CUDA ? absmax : at_least_smallest(absmax)), false};
}

// The partial last block of a 4-bit tensor divides and stores the raised absmax, except on CUDA.
inline Scaling tail_scaling_of(float absmax, hb_profile profile) {
  if (profile == HB_CUDA) return scaling_of(absmax, profile);
  const float raised = at_least_smallest(absmax);
  return {raised, raised, true};
}

}  // namespace
}  // namespace hb
