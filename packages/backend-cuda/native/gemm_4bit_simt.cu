// Products with 4-bit weights without tensor cores: which kernel, and with how many threads.
#include "gemm_4bit_any.cuh"
#include "grid.h"

namespace hb {

void gemm_4bit_simt(cudaStream_t stream, const DeviceTraits &, const Product4 &product) {
  const uint64_t warps = kAnyThreads / 32;
  const AnyWeight4 weight = {product.weight, BlockOf(product.weight.block_size)};
  launch(gemm_4bit_any, thread_blocks(ceil_div(product.m * product.n, warps)), kAnyThreads, stream, product, weight);
}

}  // namespace hb
