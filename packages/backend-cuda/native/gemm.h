// The product with a float weight: its operands, and who computes it.
#pragma once
#include "device_traits.h"
#include "operands.cuh"

namespace hb {

// out = x[m, k] · W[n, k]ᵀ + bias, or x[m, n] · W[n, k] + bias when transposed. `out` has the dtype of x.
struct Product {
  Matrix x, weight;
  Result result;
  bool transpose;
};

// False, and nothing launched, where tensor cores do not apply: on older devices, to dtypes that differ or are f32, to rows that are no multiple of
// 16 bytes.
bool gemm_mma(cudaStream_t stream, const DeviceTraits &device, const Product &product);

}  // namespace hb
