// The product with a 4-bit weight: its operands, and who computes it.
#pragma once
#include "device_traits.h"
#include "elements.cuh"
#include "scales.cuh"

namespace hb {

// W[n, k], row after row: two codes to a byte, the first in the high nibble. Rows of odd length begin in the middle of one.
struct Weight4 {
  const uint8_t *codes;
  BlockScales scales;
  const float *table;  // 16 numbers
  uint32_t block_size;
};

// out[m, n] = x[m, k] · W[n, k]ᵀ + bias. `out` has the dtype of x; bias may be null.
struct Product4 {
  const void *x;
  hb_dtype dtype;
  Weight4 weight;
  hb_accuracy accuracy;
  const void *bias;
  hb_dtype bias_dtype;
  uint64_t m, n, k;
  void *out;
};

// On tensor cores, when device, dtype, accuracy and shape allow it; else false, and nothing is enqueued.
bool gemm_4bit_mma(hb_queue &queue, cudaStream_t stream, const Product4 &product);

// Any shape on any device, without tensor cores: f32 products and sums.
void gemm_4bit_simt(cudaStream_t stream, const DeviceTraits &device, const Product4 &product);

}  // namespace hb
