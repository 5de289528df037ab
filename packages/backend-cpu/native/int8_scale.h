// From integers back to floats, for LLM.int8(): the formulas with their roundings (core/src/reference/int8.ts). F is float or the lanes of an instruction set
// (lanes_avx512.h).
#pragma once
#include "float16.h"
#include "float32.h"
#include "halfbyte_formats.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

inline float through_float16(float value) { return widen_float16(narrow_to_float16(value)); }

// fr(fr(q · stat) · f32(1/127)).
template <class F>
F scale_row(F q, float row_stat) {
  return q * row_stat * HB_INVERSE_127;
}

// a · (row · column) · 1/127², then the bias.
template <class F>
F scale_plain(F sum, float row_stat, F col_stat, const F *bias) {
  const F scaled = sum * (row_stat * col_stat) * HB_MM_DEQUANT_REFERENCE;
  return bias ? scaled + *bias : scaled;
}

// Upstream's CUDA source stores float16 whatever the output dtype; a float16 bias is fused, another is added to that in place.
template <class F>
F scale_cuda(F sum, float row_stat, F col_stat, const F *bias, bool is_fused) {
  const F product = sum * row_stat * col_stat;
  const F scaled = through_float16(fused_multiply_add(product, HB_MM_DEQUANT_CUDA, bias && is_fused ? *bias : F(0)));
  return bias && !is_fused ? through_float16(scaled + *bias) : scaled;
}

}  // namespace
}  // namespace hb
