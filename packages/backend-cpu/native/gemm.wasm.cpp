// x·Wᵀ with a dense W: tiles of weight rows are widened to f32 once (simd_wasm.h).
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

template <hb_dtype dtype>
void product(const float *x, Floats weight, const float *bias, size_t m, size_t n, size_t k, size_t begin, size_t end, MutableFloats out) {
  tile_product(x, bias, m, n, k, begin, end, out, [&](size_t row, size_t first, size_t count, float *to) {
    const size_t flat = row * k + first;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) wasm_v128_store(to + i, load4<dtype>(weight.data, flat + i));
    for (; i < count; i++) to[i] = load_one(weight, flat + i);
  });
}

}  // namespace

void gemm(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const auto run = [&](auto typed) { typed(x, weight, bias, size_t(m), size_t(n), size_t(k), size_t(begin), size_t(end), out); };
  if (weight.dtype == HB_FLOAT32) run(product<HB_FLOAT32>);
  else if (weight.dtype == HB_FLOAT16) run(product<HB_FLOAT16>);
  else run(product<HB_BFLOAT16>);
}

}  // namespace hb::wasm
