// Products with packed 4-bit weights in AVX-512.
#include "arithmetic_avx512.h"

namespace hb::avx512 {
namespace {

/// An accuracy with the Arithmetic for it.
template <class Run>
auto with_arithmetic(hb_accuracy accuracy, const Run &run) {
  if (accuracy == HB_EXACT) return run(static_cast<Exact *>(nullptr));
  if (accuracy == HB_FAST) return run(static_cast<Fast *>(nullptr));
  return run(static_cast<Turbo *>(nullptr));
}

}  // namespace

bool prepare_activations(hb_accuracy accuracy, Floats x, const float *code, uint32_t block_size, uint64_t m, uint64_t k, uint64_t begin, uint64_t end,
                         void *prepared) {
  const ActivationLayout layout{accuracy, m, k, PackedLayout{1, k, block_size}.piece()};
  return with_arithmetic(accuracy, [&](auto *tag) {
    using Arithmetic = std::remove_pointer_t<decltype(tag)>;
    return prepare_rows<typename Arithmetic::Order>(layout, x, code, most_rows<Arithmetic>(m), begin, end, prepared);
  });
}

void gemm_4bit_packed(hb_accuracy accuracy, const void *prepared, const void *packed, const float *code, uint32_t block_size, Floats bias, uint64_t m,
                      uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const Weight weight{static_cast<const uint8_t *>(packed), {n, k, block_size}};
  const ActivationLayout layout{accuracy, m, k, weight.layout.piece()};
  with_arithmetic(accuracy, [&](auto *tag) {
    using Arithmetic = std::remove_pointer_t<decltype(tag)>;
    multiply_panels<Arithmetic>(layout, prepared, weight, code, {bias, n, out}, begin, end);
  });
}

}  // namespace hb::avx512
