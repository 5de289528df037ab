// The int8 product with sdot: four products to a lane.
#include "int8_product_neon.h"

namespace hb::dotprod {
namespace {

struct Dot {
  static inline int32x4_t add(int32x4_t sum, int8x16_t a, int8x16_t b) { return vdotq_s32(sum, a, b); }
};

}  // namespace

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, int32_t *out) {
  neon::product<Dot>(a, b, n, k, begin, end, out);
}

}  // namespace hb::dotprod
