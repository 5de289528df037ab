// Float arrays of any dtype a piece at a time as f32, like float_array.h, for counts that are a multiple of the lanes (lanes_avx512.h).
#pragma once
#include "float_array.h"

namespace hb {
namespace {

template <class Lanes, hb_dtype dtype>
inline void widen_lanes_of(const void *source, uint64_t begin, uint64_t count, float *out) {
  for (uint64_t i = 0; i < count; i += Lanes::count) Lanes::template load_as<dtype>(source, begin + i).store(out + i);
}

template <class Lanes>
inline void widen_lanes(Floats source, uint64_t begin, uint64_t count, float *out) {
  if (source.dtype == HB_FLOAT32) widen_lanes_of<Lanes, HB_FLOAT32>(source.data, begin, count, out);
  else if (source.dtype == HB_FLOAT16) widen_lanes_of<Lanes, HB_FLOAT16>(source.data, begin, count, out);
  else widen_lanes_of<Lanes, HB_BFLOAT16>(source.data, begin, count, out);
}

template <class Lanes, hb_dtype dtype>
inline void narrow_lanes_to(const float *values, uint64_t count, void *target, uint64_t begin) {
  for (uint64_t i = 0; i < count; i += Lanes::count) Lanes::load(values + i).template store_as<dtype>(target, begin + i);
}

template <class Lanes>
inline void narrow_lanes(const float *values, uint64_t count, MutableFloats target, uint64_t begin) {
  if (target.dtype == HB_FLOAT32) narrow_lanes_to<Lanes, HB_FLOAT32>(values, count, target.data, begin);
  else if (target.dtype == HB_FLOAT16) narrow_lanes_to<Lanes, HB_FLOAT16>(values, count, target.data, begin);
  else narrow_lanes_to<Lanes, HB_BFLOAT16>(values, count, target.data, begin);
}

/// The elements themselves when they are f32, else `buffer` filled with them.
template <class Lanes>
inline const float *widened_lanes(Floats source, uint64_t begin, uint64_t count, float *buffer) {
  if (source.dtype == HB_FLOAT32) return static_cast<const float *>(source.data) + begin;
  widen_lanes<Lanes>(source, begin, count, buffer);
  return buffer;
}

/// Calls run(values) with the elements as f32, and keeps what it writes there.
template <class Lanes, class Run>
inline void update_widened(MutableFloats array, uint64_t begin, uint64_t count, const Run &run) {
  if (array.dtype == HB_FLOAT32) return run(static_cast<float *>(array.data) + begin);
  alignas(64) float values[piece_size];
  widen_lanes<Lanes>({array.data, array.dtype}, begin, count, values);
  run(values);
  narrow_lanes<Lanes>(values, count, array, begin);
}

}  // namespace
}  // namespace hb
