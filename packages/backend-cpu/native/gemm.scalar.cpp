// Dense matrix products, in float64 like matrix_product.h.
#include "matrix_product.h"
#include "scalar.h"

namespace hb::scalar {

void gemm(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
          MutableFloats out) {
  const auto piece = [&](uint64_t at, uint64_t count, float *buffer) { return widened(weight, at, count, buffer); };
  multiply(x, piece, bias, m, n, k, begin, end, out);
}

void gemm_transposed(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
                     MutableFloats out) {
  (void)m;
  float buffer[piece_size];
  double sums[piece_size];
  for (uint64_t row = begin; row < end; row++) {
    for_each_piece(0, k, [&](uint64_t at, uint64_t count) {
      for (uint64_t i = 0; i < count; i++) sums[i] = 0;
      for (uint64_t j = 0; j < n; j++) {
        const double factor = static_cast<double>(x[row * n + j]);
        const float *values = widened(weight, j * k + at, count, buffer);
        for (uint64_t i = 0; i < count; i++) sums[i] += factor * static_cast<double>(values[i]);
      }
      for (uint64_t i = 0; i < count; i++) buffer[i] = static_cast<float>(sums[i] + static_cast<double>(bias ? bias[at + i] : 0));
      narrow(buffer, count, out, row * k + at);
    });
  }
}

}  // namespace hb::scalar
