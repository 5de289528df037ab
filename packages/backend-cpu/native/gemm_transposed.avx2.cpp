// x·W with a dense W (gemm_transposed_lanes.h). Registers: sums 6 × 2, weight 2, x 1.
#include "gemm_transposed_lanes.h"
#include "lanes_avx2.h"

namespace hb::avx2 {

void gemm_transposed(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  gemm_transposed_lanes<Lanes, 2>(x, weight, bias, m, n, k, begin, end, out);
}

}  // namespace hb::avx2
