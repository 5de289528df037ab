// Products with packed 4-bit weights in WebAssembly: fused for a few rows of x, tiled for more. It has no product of bytes: turbo is fast.
#include "tiled_product_wasm.h"

namespace hb::wasm {
namespace {

/// Rows of x from which on decoding once and storing is cheaper than decoding for every group.
constexpr uint64_t tiled_from = 3;

template <class Run>
auto with_tile(hb_accuracy accuracy, const Run &run) {
  return accuracy == HB_EXACT ? run(static_cast<ExactTile *>(nullptr)) : run(static_cast<FastTile *>(nullptr));
}

ActivationLayout layout_of(hb_accuracy accuracy, uint64_t m, const PackedLayout &weight) {
  return {accuracy == HB_EXACT ? HB_EXACT : HB_FAST, m, weight.k, weight.piece()};
}

}  // namespace

bool prepare_activations(hb_accuracy accuracy, Floats x, const float *code, uint32_t block_size, uint64_t m, uint64_t k, uint64_t begin, uint64_t end,
                         void *prepared) {
  const ActivationLayout layout = layout_of(accuracy, m, {1, k, block_size});
  return with_tile(accuracy, [&](auto *tag) {
    using Tile = std::remove_pointer_t<decltype(tag)>;
    using Fused = typename Tile::Arithmetic;
    return m < tiled_from ? PackedProduct<Fused>::prepare(layout, x, code, begin, end, prepared)
                          : prepare_rows<typename Tile::Order>(layout, x, code, tile_group_rows, begin, end, prepared);
  });
}

void gemm_4bit_packed(hb_accuracy accuracy, const void *prepared, const void *packed, const float *code, uint32_t block_size, Floats bias, uint64_t m,
                      uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const PackedWeight weight{static_cast<const uint8_t *>(packed), {n, k, block_size}};
  const ActivationLayout layout = layout_of(accuracy, m, weight.layout);
  with_tile(accuracy, [&](auto *tag) {
    using Tile = std::remove_pointer_t<decltype(tag)>;
    const auto multiply = m < tiled_from ? PackedProduct<typename Tile::Arithmetic>::multiply : multiply_panels_tiled<Tile>;
    multiply(layout, prepared, weight, code, {bias, n, out}, begin, end);
  });
}

}  // namespace hb::wasm
