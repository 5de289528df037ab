// How far a segment's decoded values are from the original ones: two passes, for the scale and for the sums.
#include <algorithm>

#include "float_array.h"
#include "scalar.h"
#include "segment_figures.h"

namespace hb::scalar {
namespace {

uint32_t magnitude_bits(float value) { return bits_of(value) & 0x7fffffff; }

// Calls run(x, y) with every pair.
template <class Run>
void for_each_pair(Floats x, uint64_t begin, uint64_t count, const float *decoded, Run run) {
  float buffer[piece_size];
  for_each_piece(0, count, [&](uint64_t at, uint64_t length) {
    const float *values = widened(x, begin + at, length, buffer);
    for (uint64_t i = 0; i < length; i++) run(values[i], decoded[at + i]);
  });
}

}  // namespace

void measure_segment(Floats x, uint64_t begin, uint64_t count, const float *decoded, float *figures) {
  uint32_t largest = 0;
  for_each_pair(x, begin, count, decoded, [&](float a, float b) { largest = std::max({largest, magnitude_bits(a), magnitude_bits(b)}); });
  if (!is_finite_magnitude(largest)) return store_nan(figures);
  const SegmentScale unit(largest);
  float max_abs = 0;
  double noise = 0, signal = 0, energy = 0, product = 0;
  for_each_pair(x, begin, count, decoded, [&](float a, float b) {
    const float p = a * unit.reciprocal, q = b * unit.reciprocal, difference = p - q;
    max_abs = std::max(max_abs, std::fabs(difference));
    noise += static_cast<double>(difference) * static_cast<double>(difference);
    signal += static_cast<double>(p) * static_cast<double>(p);
    energy += static_cast<double>(q) * static_cast<double>(q);
    product += static_cast<double>(p) * static_cast<double>(q);
  });
  store_figures(figures, unit.scale, max_abs, static_cast<float>(noise), static_cast<float>(signal), static_cast<float>(energy),
                static_cast<float>(product));
}

}  // namespace hb::scalar
