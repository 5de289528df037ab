// LLM.int8() after the product (int8_lanes.h). Registers: values 1, scales 3, bias 1.
#include "int8_lanes.h"
#include "lanes_avx512.h"

namespace hb::avx512 {

void int8_row_dequant(const int8_t *q, const float *row_stats, uint64_t k, uint64_t begin, uint64_t end, float *out) {
  // Rows of whole lines only: a line that is not written in one go would be written twice.
  const bool streams = (end - begin) * k * sizeof(float) > streaming_bytes && is_aligned(out) && k % 16 == 0;
  if (!streams) return row_dequant_lanes<Lanes, false>(q, row_stats, k, begin, end, out);
  row_dequant_lanes<Lanes, true>(q, row_stats, k, begin, end, out);
  _mm_sfence();
}

void int8_mm_dequant(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, bool bias_is_float16, uint64_t n,
                     hb_profile profile, uint64_t begin, uint64_t end, MutableFloats out) {
  mm_dequant_lanes<Lanes>(a, row_stats, col_stats, bias, bias_is_float16, n, profile, begin, end, out);
}

}  // namespace hb::avx512
