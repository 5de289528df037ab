// The int8 product on every Arm machine: products of bytes in 16 bits, added in pairs to 32. (Adding two products in 16 bits first would
// overflow for −128 · −128.)
#include "int8_product_neon.h"

namespace hb::neon {
namespace {

struct Widening {
  static inline int32x4_t add(int32x4_t sum, int8x16_t a, int8x16_t b) {
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(vpadalq_s16(sum, low), high);
  }
};

}  // namespace

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  product<Widening>(a, b, m, n, k, out, stride);
}

}  // namespace hb::neon
