// LLM.int8(): rows to 8-bit codes and back (core/src/reference/int8.ts). A thread block to a row, which it reads twice, the second time
// mostly from the cache.
#pragma once
#include "block_scale.cuh"

namespace hb {

constexpr uint32_t kMostRowThreads = 512;

// `each` elements of a row from `first` on: eight where rows are made of whole octets and therefore aligned, else one.
template <class Element, uint32_t each>
__device__ void load_piece(const typename Element::Storage *row, uint64_t k, uint64_t first, float (&values)[each]) {
  if constexpr (each == kPerThread) load<Element>(row, k, first, values);
  else values[0] = Element::widen(row[first]);
}

// So many bytes of a row.
template <uint32_t each>
__device__ void load_bytes(const uint8_t *row, uint64_t first, uint32_t (&bytes)[each]) {
  if constexpr (each == kPerThread) {
    const uint2 words = *reinterpret_cast<const uint2 *>(row + first);
    for (uint32_t i = 0; i < each; i++) bytes[i] = (i < 4 ? words.x : words.y) >> 8 * (i % 4) & 255;
  } else {
    bytes[0] = row[first];
  }
}

template <uint32_t each>
__device__ void store_bytes(const uint32_t (&bytes)[each], uint8_t *row, uint64_t first) {
  if constexpr (each == kPerThread) {
    uint2 words = {0, 0};
    for (uint32_t i = 0; i < each; i++) (i < 4 ? words.x : words.y) |= (bytes[i] & 255) << 8 * (i % 4);
    *reinterpret_cast<uint2 *>(row + first) = words;
  } else {
    row[first] = static_cast<uint8_t>(bytes[0]);
  }
}

// ±127 is exceeded only when 1/absmax overflows, for rows of subnormal numbers and of zeros; 0 · infinity is NaN there, which gives 0.
__device__ inline uint32_t round_to_int8(float value) { return static_cast<uint32_t>(max(min(__float2int_rn(value), 127), -127)); }

template <class Element>
struct QuantizeRowsTask {
  const typename Element::Storage *x;
  uint64_t rows, k;
  // Not above 0: there are no outliers.
  float threshold;
  // Both at once where no row depends on another one's outliers.
  bool measures, encodes;
  // Whether a column's code is 0 in every row when one of them has an outlier there.
  bool clears_columns;
  uint8_t *q;
  float *row_stats;
  uint8_t *outlier_columns;
  // The lowest flat index of a value that is not finite; all ones is none. Null: nobody asks.
  unsigned long long *fault;

  // NaN is none.
  __device__ bool is_outlier(float value) const { return threshold > 0 && fabsf(value) >= threshold; }

  // The largest magnitude that is no outlier; NaN is passed over.
  template <uint32_t each>
  __device__ float measure(uint64_t row) const {
    float largest = 0;
    HB_UNROLL_BY(1) for (uint64_t first = threadIdx.x * each; first < k; first += blockDim.x * each) {
      float values[each], not_finite = 0;
      load_piece<Element, each>(x + row * k, k, first, values);
      HB_UNROLL for (uint32_t i = 0; i < each; i++) {
        not_finite = __fmaf_rn(values[i], 0, not_finite);
        // Whoever else marks the column writes the same.
        if (is_outlier(values[i])) outlier_columns[first + i] = 1;
        else largest = fmaxf(largest, fabsf(values[i]));
      }
      if (fault && not_finite != 0) report(row * k + first, each);
    }
    return __uint_as_float(largest_of_group(__float_as_uint(largest), blockDim.x));
  }

  template <uint32_t each>
  __device__ void encode(uint64_t row, float absmax) const {
    const float scale = __fmul_rn(__frcp_rn(absmax), 127);
    HB_UNROLL_BY(1) for (uint64_t first = threadIdx.x * each; first < k; first += blockDim.x * each) {
      float values[each];
      uint32_t is_cleared[each] = {}, codes[each];
      load_piece<Element, each>(x + row * k, k, first, values);
      if (clears_columns) load_bytes<each>(outlier_columns, first, is_cleared);
      HB_UNROLL for (uint32_t i = 0; i < each; i++)
        codes[i] = is_cleared[i] == 1 || is_outlier(values[i]) ? 0 : round_to_int8(__fmul_rn(values[i], scale));
      store_bytes<each>(codes, q + row * k, first);
    }
  }

 private:
  // Rare: it reads the elements again.
  __device__ void report(uint64_t first, uint32_t count) const {
    HB_UNROLL_BY(1) for (uint64_t i = first; i < first + count; i++) {
      if (magnitude_bits(Element::widen(x[i])) < kInfinity) continue;
      atomicMin(fault, static_cast<unsigned long long>(i));
      return;
    }
  }
};

template <class Element, uint32_t each>
__global__ void __launch_bounds__(kMostRowThreads) quantize_rows(QuantizeRowsTask<Element> task) {
  for (uint64_t row = blockIdx.x; row < task.rows; row += gridDim.x) {
    const float absmax = task.measures ? task.template measure<each>(row) : task.row_stats[row];
    if (task.measures && threadIdx.x == 0) task.row_stats[row] = absmax;
    if (task.encodes) task.template encode<each>(row, absmax);
  }
}

// fr(fr(q · stat) · f32(1/127)).
__device__ inline float decode_int8(uint32_t code, float stat) {
  return __fmul_rn(__fmul_rn(static_cast<float>(static_cast<int8_t>(code)), stat), HB_INVERSE_127);
}

template <uint32_t each>
__global__ void __launch_bounds__(kMostRowThreads) dequantize_rows(const uint8_t *q, const float *row_stats, uint64_t rows, uint64_t k, float *out) {
  for (uint64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float stat = row_stats[row];
    HB_UNROLL_BY(1) for (uint64_t first = threadIdx.x * each; first < k; first += blockDim.x * each) {
      uint32_t codes[each];
      float values[each];
      load_bytes<each>(q + row * k, first, codes);
      HB_UNROLL for (uint32_t i = 0; i < each; i++) values[i] = decode_int8(codes[i], stat);
      if constexpr (each == kPerThread) store<Float32>(values, out + row * k, k, first);
      else out[row * k + first] = values[0];
    }
  }
}

}  // namespace hb
