// The two halves of a product with packed 4-bit weights in one Arithmetic: both must take the same.
#pragma once
#include "panel_product.h"
#include "prepare_activations.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

template <class Arithmetic>
struct PackedProduct {
  static void multiply(const ActivationLayout &layout, const void *prepared, const PackedWeight &weight, const float *code, const Result &result,
                       uint64_t begin, uint64_t end) {
    Product<Arithmetic> product(layout, prepared, weight, code, result);
    for (uint64_t panel = begin; panel < end; panel++) product.run(panel);
  }
  static bool prepare(const ActivationLayout &layout, Floats x, const float *code, uint64_t begin, uint64_t end, void *prepared) {
    return prepare_rows<typename Arithmetic::Order>(layout, x, code, Arithmetic::most_rows, begin, end, prepared);
  }
};

}  // namespace
}  // namespace hb
