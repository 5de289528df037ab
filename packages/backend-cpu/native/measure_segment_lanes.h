// How far a segment's decoded values are from the original ones, over the lanes of an instruction set: two passes over what then lies in L1, for the
// scale and for the sums. Elements that fill no lanes are completed with zeros, which add nothing.
#pragma once
#include "float_array.h"
#include "segment_figures.h"

namespace hb {
namespace {

/// Calls run(x, y) with every pair.
template <class Lanes, hb_dtype dtype, class Run>
inline void for_each_pair(const void *x, uint64_t begin, uint64_t count, const float *decoded, const Run &run) {
  const uint64_t whole = count - count % Lanes::count;
  for (uint64_t i = 0; i < whole; i += Lanes::count) run(Lanes::template load_as<dtype>(x, begin + i), Lanes::load(decoded + i));
  if (whole == count) return;
  float last_x[Lanes::count] = {}, last_decoded[Lanes::count] = {};
  widen({x, dtype}, begin + whole, count - whole, last_x);
  memcpy(last_decoded, decoded + whole, (count - whole) * sizeof(float));
  run(Lanes::load(last_x), Lanes::load(last_decoded));
}

template <class Lanes>
inline float sum_of(Lanes values) {
  float lanes[Lanes::count], sum = 0;
  values.store(lanes);
  for (const float lane : lanes) sum += lane;
  return sum;
}

template <class Lanes, class LargestLanes, hb_dtype dtype>
void measure_segment_of(const void *x, uint64_t begin, uint64_t count, const float *decoded, float *figures) {
  LargestLanes largest, differences;
  for_each_pair<Lanes, dtype>(x, begin, count, decoded, [&](Lanes a, Lanes b) {
    largest.add(a);
    largest.add(b);
  });
  if (!is_finite_magnitude(largest.largest())) return store_nan(figures);
  const SegmentScale unit(largest.largest());
  const Lanes reciprocal = unit.reciprocal;
  Lanes noise = 0.0f, signal = 0.0f, energy = 0.0f, product = 0.0f;
  for_each_pair<Lanes, dtype>(x, begin, count, decoded, [&](Lanes a, Lanes b) {
    const Lanes p = a * reciprocal, q = b * reciprocal, difference = p - q;
    differences.add(difference);
    noise = fused_multiply_add(difference, difference, noise);
    signal = fused_multiply_add(p, p, signal);
    energy = fused_multiply_add(q, q, energy);
    product = fused_multiply_add(p, q, product);
  });
  store_figures(figures, unit.scale, from_bits(differences.largest()), sum_of(noise), sum_of(signal), sum_of(energy), sum_of(product));
}

template <class Lanes, class LargestLanes>
void measure_segment_lanes(Floats x, uint64_t begin, uint64_t count, const float *decoded, float *figures) {
  if (x.dtype == HB_FLOAT32) measure_segment_of<Lanes, LargestLanes, HB_FLOAT32>(x.data, begin, count, decoded, figures);
  else if (x.dtype == HB_FLOAT16) measure_segment_of<Lanes, LargestLanes, HB_FLOAT16>(x.data, begin, count, decoded, figures);
  else measure_segment_of<Lanes, LargestLanes, HB_BFLOAT16>(x.data, begin, count, decoded, figures);
}

}  // namespace
}  // namespace hb
