// LLM.int8() after the product, many elements at a time: the formulas of int8_scale.h over the lanes of an instruction set; tails one by one.
#pragma once
#include "float_array.h"
#include "int8_scale.h"

namespace hb {
namespace {

template <class Lanes, bool streaming>
void row_dequant_lanes(const int8_t *q, const float *row_stats, uint64_t k, uint64_t begin, uint64_t end, float *out) {
  for (uint64_t row = begin; row < end; row++) {
    const float stat = row_stats[row];
    uint64_t i = row * k;
    const uint64_t stop = i + k, whole = stop - k % Lanes::count;
    for (; i < whole; i += Lanes::count) scale_row(Lanes::of_bytes(q + i), stat).template store_as<HB_FLOAT32, streaming>(out, i);
    for (; i < stop; i++) out[i] = scale_row(static_cast<float>(q[i]), stat);
  }
}

/// The scaled result of one profile, for a value or for lanes.
template <hb_profile profile>
struct MmScale {
  bool bias_is_float16;

  template <class F>
  F operator()(F sum, float row_stat, F col_stat, const F *bias) const {
    if constexpr (profile == HB_CUDA) return scale_cuda(sum, row_stat, col_stat, bias, bias_is_float16);
    else return scale_plain(sum, row_stat, col_stat, bias);
  }
};

template <class Lanes, hb_dtype dtype, class Scale>
void mm_dequant_lanes_to(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, const Scale scale, uint64_t n,
                         uint64_t begin, uint64_t end, void *out) {
  const uint64_t whole = n - n % Lanes::count;
  for (uint64_t row = begin; row < end; row++) {
    const float stat = row_stats[row];
    for (uint64_t i = 0; i < whole; i += Lanes::count) {
      const Lanes addend = bias ? Lanes::load(bias + i) : Lanes(0);
      scale(Lanes::of_integers(a + row * n + i), stat, Lanes::load(col_stats + i), bias ? &addend : nullptr).template store_as<dtype>(out, row * n + i);
    }
    for (uint64_t i = whole; i < n; i++) {
      const float value = scale(static_cast<float>(a[row * n + i]), stat, col_stats[i], bias ? bias + i : nullptr);
      narrow(&value, 1, {out, dtype}, row * n + i);
    }
  }
}

template <class Lanes, class Scale>
void mm_dequant_lanes_by(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, const Scale scale, uint64_t n,
                         uint64_t begin, uint64_t end, MutableFloats out) {
  if (out.dtype == HB_FLOAT32) mm_dequant_lanes_to<Lanes, HB_FLOAT32>(a, row_stats, col_stats, bias, scale, n, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) mm_dequant_lanes_to<Lanes, HB_FLOAT16>(a, row_stats, col_stats, bias, scale, n, begin, end, out.data);
  else mm_dequant_lanes_to<Lanes, HB_BFLOAT16>(a, row_stats, col_stats, bias, scale, n, begin, end, out.data);
}

template <class Lanes>
void mm_dequant_lanes(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, bool bias_is_float16, uint64_t n,
                      hb_profile profile, uint64_t begin, uint64_t end, MutableFloats out) {
  if (profile == HB_CUDA) mm_dequant_lanes_by<Lanes>(a, row_stats, col_stats, bias, MmScale<HB_CUDA>{bias_is_float16}, n, begin, end, out);
  else mm_dequant_lanes_by<Lanes>(a, row_stats, col_stats, bias, MmScale<HB_REFERENCE>{bias_is_float16}, n, begin, end, out);
}

}  // namespace
}  // namespace hb
