// Products with packed 4-bit weights in AVX-512.
#include "arithmetic_avx512.h"

namespace hb::avx512 {

bool prepare_activations(hb_accuracy accuracy, Floats x, const float *code, uint32_t block_size, uint64_t m, uint64_t k, uint64_t begin, uint64_t end,
                         void *prepared) {
  const ActivationLayout layout{accuracy, m, k, PackedLayout{1, k, block_size}.piece()};
  return with_product(layout.accuracy, m, [&](auto product) { return product.prepare(layout, x, code, begin, end, prepared); });
}

void gemm_4bit_packed(hb_accuracy accuracy, const void *prepared, const void *packed, const float *code, uint32_t block_size, Floats bias, uint64_t m,
                      uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const PackedWeight weight{static_cast<const uint8_t *>(packed), {n, k, block_size}};
  const ActivationLayout layout{accuracy, m, k, weight.layout.piece()};
  with_product(layout.accuracy, m, [&](auto product) { product.multiply(layout, prepared, weight, code, {bias, n, out}, begin, end); });
}

}  // namespace hb::avx512
