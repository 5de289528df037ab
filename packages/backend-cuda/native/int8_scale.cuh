// LLM.int8(): from integer sums back to floats, with the roundings of each profile (core/src/reference/int8.ts).
#pragma once
#include "elements.cuh"
#include "halfbyte_formats.h"

namespace hb {

// Neighbouring columns that a thread scales together.
constexpr uint32_t kScaledTogether = 4;

__device__ inline float through_float16(float value) { return Float16::widen(Float16::narrow(value)); }

// A bias of any dtype, or none.
struct AddedToColumns {
  const void *data;
  hb_dtype dtype;

  __device__ float at(uint64_t column) const {
    if (!data) return 0;
    if (dtype == HB_FLOAT32) return static_cast<const float *>(data)[column];
    const uint16_t bits = static_cast<const uint16_t *>(data)[column];
    return dtype == HB_FLOAT16 ? Float16::widen(bits) : Bfloat16::widen(bits);
  }
};

// The dtype is decided for each store: a product has few of them for its multiplications, and one kernel less in every library.
struct ScaledOut {
  void *data;
  hb_dtype dtype;

  __device__ void store(uint64_t index, float value) const {
    if (dtype == HB_FLOAT32) static_cast<float *>(data)[index] = value;
    else static_cast<uint16_t *>(data)[index] = narrow(value);
  }

  // `index` is a multiple of four.
  __device__ void store(uint64_t index, const float (&values)[kScaledTogether]) const {
    if (dtype == HB_FLOAT32) {
      const uint4 words = {__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]), __float_as_uint(values[3])};
      *reinterpret_cast<uint4 *>(static_cast<float *>(data) + index) = words;
    } else {
      const uint2 words = {pair(values[0], values[1]), pair(values[2], values[3])};
      *reinterpret_cast<uint2 *>(static_cast<uint16_t *>(data) + index) = words;
    }
  }

 private:
  __device__ uint16_t narrow(float value) const { return dtype == HB_FLOAT16 ? Float16::narrow(value) : Bfloat16::narrow(value); }
  __device__ uint32_t pair(float low, float high) const { return narrow(low) | static_cast<uint32_t>(narrow(high)) << 16; }
};

// What becomes of the sums of a product: an epilogue of the kernels in int8_matmul.cuh.
struct ScaleSums {
  const float *row_stats, *col_stats;
  AddedToColumns bias;
  hb_profile profile;
  ScaledOut out;

  struct Columns {
    float stats[kScaledTogether], addends[kScaledTogether];
  };

  __device__ Columns columns(uint64_t column, uint64_t n) const {
    Columns four;
    HB_UNROLL for (uint32_t i = 0; i < kScaledTogether; i++) {
      const bool is_there = column + i < n;
      four.stats[i] = is_there ? col_stats[column + i] : 0;
      four.addends[i] = is_there ? bias.at(column + i) : 0;
    }
    return four;
  }

  // Four columns of a row, of which those from `n` on are not there.
  __device__ void store(const Columns &four, uint64_t row, uint64_t column, uint64_t n, const int32_t (&sums)[kScaledTogether]) const {
    const float row_stat = row_stats[row];
    float values[kScaledTogether];
    HB_UNROLL for (uint32_t i = 0; i < kScaledTogether; i++) values[i] = scaled(sums[i], row_stat, four.stats[i], four.addends[i]);
    const uint64_t first = row * n + column;
    if (n % kScaledTogether == 0) return out.store(first, values);
    HB_UNROLL for (uint32_t i = 0; i < kScaledTogether; i++)
      if (column + i < n) out.store(first + i, values[i]);
  }

  __device__ void store_one(uint64_t row, uint64_t column, uint64_t n, int32_t sum) const {
    out.store(row * n + column, scaled(sum, row_stats[row], col_stats[column], bias.at(column)));
  }

 private:
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

// The sums themselves.
struct KeepSums {
  int32_t *out;

  struct Columns {};

  __device__ Columns columns(uint64_t, uint64_t) const { return {}; }

  __device__ void store(const Columns &, uint64_t row, uint64_t column, uint64_t n, const int32_t (&sums)[kScaledTogether]) const {
    int32_t *const four = out + row * n + column;
    if (n % kScaledTogether == 0) {
      *reinterpret_cast<uint4 *>(four) = {static_cast<uint32_t>(sums[0]), static_cast<uint32_t>(sums[1]), static_cast<uint32_t>(sums[2]),
                                          static_cast<uint32_t>(sums[3])};
      return;
    }
    HB_UNROLL for (uint32_t i = 0; i < kScaledTogether; i++)
      if (column + i < n) four[i] = sums[i];
  }

  __device__ void store_one(uint64_t row, uint64_t column, uint64_t n, int32_t sum) const { out[row * n + column] = sum; }
};

// Sums that are already there: a thread block to a row.
template <class Epilogue>
__global__ void __launch_bounds__(256) scale_sums(const int32_t *sums, uint64_t m, uint64_t n, Epilogue epilogue) {
  for (uint64_t row = blockIdx.x; row < m; row += gridDim.x) {
    for (uint64_t column = threadIdx.x * kScaledTogether; column < n; column += blockDim.x * kScaledTogether) {
      int32_t four[kScaledTogether];
      const int32_t *const from = sums + row * n + column;
      if (n % kScaledTogether == 0) {
        const uint4 words = *reinterpret_cast<const uint4 *>(from);
        four[0] = static_cast<int32_t>(words.x), four[1] = static_cast<int32_t>(words.y);
        four[2] = static_cast<int32_t>(words.z), four[3] = static_cast<int32_t>(words.w);
      } else {
        HB_UNROLL for (uint32_t i = 0; i < kScaledTogether; i++) four[i] = column + i < n ? from[i] : 0;
      }
      epilogue.store(epilogue.columns(column, n), row, column, n, four);
    }
  }
}

}  // namespace hb
