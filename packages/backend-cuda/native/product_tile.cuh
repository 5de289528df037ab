// The last step of a product: a tile of sums becomes a tile of the output, when the sums of all splits of k are there.
#pragma once
#include "gemm_4bit.h"
#include "operands.cuh"
#include "split_sum.cuh"

namespace hb {

// Sums in shared memory, row of x after row of x, `width` columns of the output in each.
struct ProductTile {
  uint64_t tile;
  uint32_t split;
  uint64_t first_row, first_column;
  uint32_t width, size;
};

// All threads of a block, which see all of `sums`.
__device__ inline void finish_tile(const Product4 &product, const SplitSum &split, const ProductTile &at, const float *sums) {
  const bool is_split = split.splits > 1;
  if (is_split) {
    float *const partial = partial_of(split, at.tile, at.split, at.size);
    for (uint32_t i = threadIdx.x; i < at.size; i += blockDim.x) partial[i] = sums[i];
    if (!is_last_to_arrive(split, at.tile)) return;
  }
  const Floats bias = {product.bias, product.bias_dtype};
  const MutableFloats out = {product.out, product.dtype};
  for (uint32_t i = threadIdx.x; i < at.size; i += blockDim.x) {
    const uint64_t row = at.first_row + i / at.width, column = at.first_column + i % at.width;
    if (row >= product.m || column >= product.n) continue;
    const float sum = is_split ? sum_of_splits(split, at.tile, at.size, i) : sums[i];
    out.put(row * product.n + column, bias.data ? __fadd_rn(sum, bias.at(column)) : sum);
  }
}

}  // namespace hb
