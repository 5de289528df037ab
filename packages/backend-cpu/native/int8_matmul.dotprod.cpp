// The int8 product with sdot: four products to a lane.
#include "int8_product_neon.h"

namespace hb::dotprod {
namespace {

struct Dot {
  static inline int32x4_t add(int32x4_t sum, int8x16_t a, int8x16_t b) { return vdotq_s32(sum, a, b); }
};

}  // namespace

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  neon::product<Dot>(a, b, m, n, k, out, stride);
}

}  // namespace hb::dotprod
