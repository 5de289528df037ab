// LLM.int8() (arXiv 2208.07339): row-wise quantization with outlier columns, integer product, scaled result.
#include "float_array.h"
#include "int8_scale.h"
#include "packed_int8.h"
#include "scalar.h"

namespace hb::scalar {

namespace {

// A threshold of 0 knows no outliers; NaN is none.
bool is_outlier(float value, float threshold) { return threshold > 0 && std::fabs(value) >= threshold; }

// ±127 is exceeded only when 1/absmax overflows, for rows of subnormal numbers; 0 · infinity gives 0 there.
int8_t round_to_int8(float value) {
  const float clamped = value > 127 ? 127 : value < -127 ? -127 : value;
  return is_nan(clamped) ? int8_t{0} : static_cast<int8_t>(round_half_even(clamped));
}

}  // namespace

int64_t int8_row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *row_stats, uint8_t *mask) {
  int64_t fault = -1;
  float buffer[piece_size];
  for (uint64_t row = begin; row < end; row++) {
    float largest = 0;
    for_each_piece(0, k, [&](uint64_t at, uint64_t count) {
      const float *values = widened(x, row * k + at, count, buffer);
      for (uint64_t i = 0; i < count; i++) {
        const float magnitude = std::fabs(values[i]);
        if (is_outlier(magnitude, threshold)) mask[at + i] = 1;
        else if (magnitude > largest) largest = magnitude;
      }
      if (!look || fault >= 0) return;
      const int64_t found = first_non_finite(values, count);
      if (found >= 0) fault = static_cast<int64_t>(row * k + at) + found;
    });
    row_stats[row] = largest;
  }
  return fault;
}

// q = rint(x · fr(fr(1/absmax) · 127)), ties to even; outliers and zero rows give 0.
void int8_row_quant(Floats x, uint64_t k, float threshold, const float *row_stats, const uint8_t *mask, uint64_t begin, uint64_t end,
                    int8_t *q) {
  float buffer[piece_size];
  for (uint64_t row = begin; row < end; row++) {
    const bool is_zero = row_stats[row] == 0;
    const float scale = 1 / row_stats[row] * 127;
    for_each_piece(0, k, [&](uint64_t at, uint64_t count) {
      const float *values = widened(x, row * k + at, count, buffer);
      int8_t *codes = q + row * k + at;
      for (uint64_t i = 0; i < count; i++) {
        const bool is_left_out = is_zero || (mask && mask[at + i] == 1) || is_outlier(values[i], threshold);
        codes[i] = is_left_out ? int8_t{0} : round_to_int8(values[i] * scale);
      }
    });
  }
}

void int8_row_dequant(const int8_t *q, const float *row_stats, uint64_t k, uint64_t begin, uint64_t end, float *out) {
  for (uint64_t row = begin; row < end; row++)
    for (uint64_t i = row * k; i < (row + 1) * k; i++) out[i] = scale_row(static_cast<float>(q[i]), row_stats[row]);
}

// Exact for k up to 131 071; beyond, sums wrap as 32-bit integers do.
void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  for (uint64_t row = 0; row < m; row++) {
    for (uint64_t column = 0; column < n; column++) {
      const int8_t *left = a + row * k;
      const int8_t *right = b + column * k;
      uint32_t sum = 0;
      for (uint64_t i = 0; i < k; i++) sum += static_cast<uint32_t>(left[i] * right[i]);
      out[row * stride + column] = static_cast<int32_t>(sum);
    }
  }
}

void int8_matmul_packed(const int8_t *a, const uint8_t *packed, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, int32_t *out,
                        uint64_t stride) {
  const PackedInt8 shape{n, k};
  for (uint64_t row = 0; row < m; row++) {
    for (uint64_t column = begin; column < end; column++) {
      const uint64_t panel = column / PackedInt8::panel_rows, width = shape.width(panel);
      const uint8_t *const right = packed + shape.offset(panel) + column % PackedInt8::panel_rows * PackedInt8::group;
      uint32_t sum = 0;
      for (uint64_t i = 0; i < k; i++) {
        const int value = right[i / PackedInt8::group * width * PackedInt8::group + i % PackedInt8::group] - 128;
        sum += static_cast<uint32_t>(a[row * k + i] * value);
      }
      out[row * stride + column - begin] = static_cast<int32_t>(sum);
    }
  }
}

void int8_mm_dequant(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, bool bias_is_float16, uint64_t n,
                     hb_profile profile, uint64_t begin, uint64_t end, MutableFloats out) {
  float buffer[piece_size];
  for (uint64_t row = begin; row < end; row++) {
    for_each_piece(0, n, [&](uint64_t at, uint64_t count) {
      for (uint64_t i = 0; i < count; i++) {
        const float sum = static_cast<float>(a[row * n + at + i]);
        const float *addend = bias ? bias + at + i : nullptr;
        buffer[i] = profile == HB_CUDA ? scale_cuda(sum, row_stats[row], col_stats[at + i], addend, bias_is_float16)
                                       : scale_plain(sum, row_stats[row], col_stats[at + i], addend);
      }
      narrow(buffer, count, out, row * n + at);
    });
  }
}

}  // namespace hb::scalar
