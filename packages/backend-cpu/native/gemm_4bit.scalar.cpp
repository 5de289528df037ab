// 4-bit matrix product: each weight row is decoded in pieces and used before it leaves the cache.
#include "decode_4bit.h"
#include "matrix_product.h"
#include "scalar.h"

namespace hb::scalar {

void gemm_4bit(const float *x, const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, const float *bias,
               uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const auto piece = [&](uint64_t at, uint64_t count, float *buffer) {
    decode_4bit(codes, absmax, code, block_size, at, count, buffer);
    return buffer;
  };
  multiply(x, piece, bias, m, n, k, begin, end, out);
}

}  // namespace hb::scalar
