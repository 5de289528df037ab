// x·Wᵀ with a dense W: tiles of weight rows are widened to f32 once (simd_neon.h).
#include "simd_neon.h"

namespace hb::neon {
namespace {

template <hb_dtype dtype>
void product(const float *x, const void *weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
             MutableFloats out) {
  tile_product(x, bias, m, n, k, begin, end, out, [&](uint64_t row, uint64_t first, uint64_t count, float *to) {
    const uint64_t flat = row * k + first;
    uint64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(to + i, load4<dtype>(weight, flat + i));
    for (; i < count; i++) to[i] = load_one<dtype>(weight, flat + i);
  });
}

}  // namespace

void gemm(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  if (weight.dtype == HB_FLOAT32) product<HB_FLOAT32>(x, weight.data, bias, m, n, k, begin, end, out);
  else if (weight.dtype == HB_FLOAT16) product<HB_FLOAT16>(x, weight.data, bias, m, n, k, begin, end, out);
  else product<HB_BFLOAT16>(x, weight.data, bias, m, n, k, begin, end, out);
}

}  // namespace hb::neon
