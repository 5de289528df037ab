// x[m,k] · W[n,k]ᵀ + bias for weights of any storage, summed in float64 in the order of k.
//
// Slow on purpose: the same sums as packages/core/src/reference/gemm.ts, rounded once, stand for the true value when faster kernels
// are measured.
#pragma once
#include "float_array.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// Rows [first, first + rows) of x times one weight row. piece(at, count, buffer) gives flat elements of the weight as f32.
template <uint64_t rows, class Piece>
void multiply_tile(const float *x, uint64_t first, uint64_t weight_row, uint64_t k, Piece piece, double (&sums)[rows]) {
  float buffer[piece_size];
  for_each_piece(0, k, [&](uint64_t at, uint64_t count) {
    const float *weight = piece(weight_row * k + at, count, buffer);
    const float *left = x + first * k + at;
    for (uint64_t i = 0; i < count; i++)
      for (uint64_t r = 0; r < rows; r++) sums[r] += static_cast<double>(left[r * k + i]) * static_cast<double>(weight[i]);
  });
}

// Weight rows [begin, end) for all rows of x. A few rows of x share a decoded piece and hide each other's latency.
template <class Piece>
void multiply(const float *x, Piece piece, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
              MutableFloats out) {
  const auto tile = [&](auto &sums, uint64_t first, uint64_t row) {
    multiply_tile(x, first, row, k, piece, sums);
    for (const double &sum : sums) {
      const float value = static_cast<float>(sum + static_cast<double>(bias ? bias[row] : 0));
      narrow(&value, 1, out, (first + static_cast<uint64_t>(&sum - sums)) * n + row);
    }
  };
  for (uint64_t row = begin; row < end; row++) {
    uint64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      double sums[4] = {};
      tile(sums, i, row);
    }
    for (; i < m; i++) {
      double sum[1] = {};
      tile(sum, i, row);
    }
  }
}

}  // namespace
}  // namespace hb
