// LLM.int8(): what becomes of the sums of an integer product. They are kept, or scaled back to floats with the roundings of a profile
// (core/src/reference/int8.ts).
#pragma once
#include "halfbyte_formats.h"
#include "operands.cuh"

namespace hb {

// Neighbouring columns that a thread stores together.
constexpr uint32_t kStoredTogether = 4;

__device__ inline float through_float16(float value) { return Float16::widen(Float16::narrow(value)); }

// Which of it is decided for each store, not by a kernel for each: they are few beside the multiplications of a product.
struct ResultOf8 {
  // Where sums are kept; null: they are scaled.
  int32_t *sums;
  const float *row_stats, *col_stats;
  Floats bias;  // its data may be null
  hb_profile profile;
  MutableFloats out;

  // What four neighbouring columns have in common in all rows.
  struct Columns {
    float stats[kStoredTogether], addends[kStoredTogether];
  };

  __device__ Columns columns(uint64_t column, uint64_t n) const {
    Columns four;
    HB_UNROLL for (uint32_t i = 0; i < kStoredTogether; i++) {
      const bool is_there = !sums && column + i < n;
      four.stats[i] = is_there ? col_stats[column + i] : 0;
      four.addends[i] = is_there && bias.data ? bias.at(column + i) : 0;
    }
    return four;
  }

  // Four columns of a row, of which those from `n` on are not there; `column` is a multiple of four.
  __device__ void store(const Columns &four, uint64_t row, uint64_t column, uint64_t n, const int4 &found) const {
    const int32_t given[kStoredTogether] = {found.x, found.y, found.z, found.w};
    const uint64_t first = row * n + column;
    const bool is_whole = n % kStoredTogether == 0;
    if (sums && is_whole) {
      *reinterpret_cast<int4 *>(sums + first) = found;
    } else if (sums) {
      HB_UNROLL for (uint32_t i = 0; i < kStoredTogether; i++)
        if (column + i < n) sums[first + i] = given[i];
    } else {
      float values[kStoredTogether];
      const float row_stat = row_stats[row];
      HB_UNROLL for (uint32_t i = 0; i < kStoredTogether; i++) values[i] = scaled(given[i], row_stat, four.stats[i], four.addends[i]);
      if (is_whole) return store_whole(first, values);
      HB_UNROLL for (uint32_t i = 0; i < kStoredTogether; i++)
        if (column + i < n) out.put(first + i, values[i]);
    }
  }

  __device__ void store_one(uint64_t row, uint64_t column, uint64_t n, int32_t sum) const {
    if (sums) sums[row * n + column] = sum;
    else out.put(row * n + column, scaled(sum, row_stats[row], col_stats[column], bias.data ? bias.at(column) : 0));
  }

 private:
  __device__ void store_whole(uint64_t first, const float (&values)[kStoredTogether]) const {
    if (out.dtype == HB_FLOAT32) {
      const uint4 words = {__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]), __float_as_uint(values[3])};
      *reinterpret_cast<uint4 *>(static_cast<float *>(out.data) + first) = words;
    } else {
      uint32_t bits[kStoredTogether];
      const bool is_half = out.dtype == HB_FLOAT16;
      HB_UNROLL for (uint32_t i = 0; i < kStoredTogether; i++) bits[i] = is_half ? Float16::narrow(values[i]) : Bfloat16::narrow(values[i]);
      *reinterpret_cast<uint2 *>(static_cast<uint16_t *>(out.data) + first) = {bits[0] | bits[1] << 16, bits[2] | bits[3] << 16};
    }
  }

  __device__ float scaled(int32_t sum, float row_stat, float col_stat, float addend) const {
    const float value = static_cast<float>(sum);
    return profile == HB_CUDA ? scaled_cuda(value, row_stat, col_stat, addend) : scaled_plain(value, row_stat, col_stat, addend);
  }

  // Without a bias nothing is added: −0 would become +0.
  __device__ float scaled_plain(float sum, float row_stat, float col_stat, float addend) const {
    const float value = __fmul_rn(__fmul_rn(sum, __fmul_rn(row_stat, col_stat)), HB_MM_DEQUANT_REFERENCE);
    return bias.data ? __fadd_rn(value, addend) : value;
  }

  // Upstream's CUDA source stores float16 whatever the output dtype; a float16 bias is fused, another is added to that in place.
  __device__ float scaled_cuda(float sum, float row_stat, float col_stat, float addend) const {
    const bool is_fused = bias.dtype == HB_FLOAT16;
    const float product = __fmul_rn(__fmul_rn(sum, row_stat), col_stat);
    const float value = through_float16(__fmaf_rn(product, HB_MM_DEQUANT_CUDA, is_fused ? addend : 0));
    return bias.data && !is_fused ? through_float16(__fadd_rn(value, addend)) : value;
  }
};

// Rows of sums from shared memory, row_of(i) being what the i-th is in the result: a thread takes the same four columns of one row after the other.
// What is beyond the columns lies there for the banks.
template <uint32_t threads, uint32_t columns, uint32_t rows, uint32_t width, class RowOf>
__device__ void store_rows(const int32_t (&sums)[rows][width], const ResultOf8 &result, const RowOf &row_of, uint64_t first_column, uint64_t m,
                           uint64_t n) {
  constexpr uint32_t kAcross = columns / kStoredTogether;
  static_assert(threads % kAcross == 0, "a thread keeps its columns");
  const uint32_t at = threadIdx.x % kAcross * kStoredTogether;
  const uint64_t column = first_column + at;
  if (column >= n) return;
  const auto four = result.columns(column, n);
  HB_UNROLL_BY(1) for (uint32_t i = threadIdx.x / kAcross; i < rows; i += threads / kAcross)
    if (row_of(i) < m) result.store(four, row_of(i), column, n, *reinterpret_cast<const int4 *>(&sums[i][at]));
}

// Sums that are already in memory: a thread block to a row.
__global__ void __launch_bounds__(256) scale_sums(const int32_t *sums, uint64_t m, uint64_t n, ResultOf8 result) {
  for (uint64_t row = blockIdx.x; row < m; row += gridDim.x) {
    HB_UNROLL_BY(1) for (uint64_t column = threadIdx.x * kStoredTogether; column < n; column += blockDim.x * kStoredTogether) {
      const int32_t *const from = sums + row * n + column;
      int4 four = {0, 0, 0, 0};
      if (n % kStoredTogether == 0) {
        four = *reinterpret_cast<const int4 *>(from);
      } else {
        four.x = from[0];
        if (column + 1 < n) four.y = from[1];
        if (column + 2 < n) four.z = from[2];
        if (column + 3 < n) four.w = from[3];
      }
      result.store(result.columns(column, n), row, column, n, four);
    }
  }
}

}  // namespace hb
