// How far decoded values are from the original ones (core/src/reference/quantization-error.ts): what every instruction set does alike.
#pragma once
#include "float16.h"
#include "float32.h"
#include "kernels.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// The unit of a segment: the power of two of its largest magnitude, within limits that leave the reciprocal a normal number too.
struct SegmentScale {
  float scale, reciprocal;

  explicit SegmentScale(uint32_t largest_bits) {
    const uint32_t power = largest_bits & 0x7f800000, lowest = 0x00800000, highest = 0x7e800000;
    const uint32_t bits = power < lowest ? lowest : power > highest ? highest : power;
    scale = from_bits(bits);
    reciprocal = from_bits(0x7f000000 - bits);
  }
};

inline bool is_finite_magnitude(uint32_t bits) { return bits < 0x7f800000; }

inline void store_nan(float *figures) {
  for (int i = 0; i < HB_ERROR_COLUMNS; i++) figures[i] = NAN;
}

// The columns, in their order.
inline void store_figures(float *figures, float scale, float max_abs, float noise, float signal, float energy, float product) {
  figures[0] = scale;
  figures[1] = max_abs;
  figures[2] = noise;
  figures[3] = signal;
  figures[4] = energy;
  figures[5] = product;
}

}  // namespace
}  // namespace hb
