// LLM.int8(): row statistics, row quantization and the integer product, all exact. Product: bytes widened to 16 bits, i32x4.dot_i16x8_s into int32, two
// rows of a by four of b. Registers: sums 8, b 4, a 1.
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

// ── Rows ──

/// A row with NaN or Infinity is the scalar kernel's.
template <hb_dtype dtype>
int64_t row_stats(Floats x, size_t k, float threshold, bool look, size_t begin, size_t end, float *stats, uint8_t *mask) {
  int64_t fault = -1;
  const v128_t limit = wasm_f32x4_splat(threshold);
  const size_t whole = k / 4 * 4;
  for (size_t row = begin; row < end; row++) {
    v128_t largest = wasm_i32x4_const_splat(0), of_all = largest;
    for (size_t i = 0; i < whole; i += 4) {
      const v128_t magnitude = magnitude_bits(load4<dtype>(x.data, row * k + i));
      of_all = wasm_i32x4_max(of_all, magnitude);
      if (threshold > 0) {
        const v128_t outlier = wasm_f32x4_ge(magnitude, limit);
        if (const uint32_t lanes = wasm_i32x4_bitmask(outlier))
          for (int lane = 0; lane < 4; lane++) mask[i + lane] |= uint8_t(lanes >> lane & 1);
        largest = wasm_i32x4_max(largest, wasm_v128_andnot(magnitude, outlier));
      }
    }
    float rest = 0;
    bool is_finite = largest_lane(of_all) < infinity_bits;
    for (size_t i = whole; i < k; i++) {
      const float value = load_one(x, row * k + i), magnitude = value < 0 ? -value : value;
      is_finite &= value * 0 == 0;
      if (threshold > 0 && magnitude >= threshold) mask[i] = 1;
      else if (magnitude > rest) rest = magnitude;
    }
    if (!is_finite) {
      const int64_t found = scalar_kernels.int8_row_stats(x, k, threshold, look, row, row + 1, stats, mask);
      if (fault < 0) fault = found;
      continue;
    }
    const float most = float_of_bits(largest_lane(threshold > 0 ? largest : of_all));
    stats[row] = most > rest ? most : rest;
  }
  return fault;
}

/// Four scaled values, clamped and rounded to even, in lanes; NaN gives 0.
inline v128_t round_to_int8(v128_t values) {
  const v128_t limit = wasm_f32x4_const_splat(127), lower = wasm_f32x4_const_splat(-127);
  return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_max(wasm_f32x4_min(values, limit), lower)));
}

/// All ones in the lanes of `mask` that are 1.
inline v128_t marked(const uint8_t *mask) {
  const v128_t words = wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(mask));
  return wasm_i32x4_eq(wasm_u32x4_extend_low_u16x8(words), wasm_i32x4_const_splat(1));
}

template <hb_dtype dtype>
void row_quant(Floats x, size_t k, float threshold, const float *stats, const uint8_t *mask, size_t begin, size_t end, int8_t *q) {
  const v128_t limit = wasm_f32x4_splat(threshold);
  const auto quantize4 = [&](size_t row, size_t i, v128_t scale) {
    const v128_t value = load4<dtype>(x.data, row * k + i);
    v128_t code = round_to_int8(wasm_f32x4_mul(value, scale));
    if (threshold > 0) code = wasm_v128_andnot(code, wasm_f32x4_ge(wasm_f32x4_abs(value), limit));
    return mask ? wasm_v128_andnot(code, marked(mask + i)) : code;
  };
  for (size_t row = begin; row < end; row++) {
    int8_t *const to = q + row * k;
    if (stats[row] == 0) {
      memset(to, 0, k);
      continue;
    }
    const v128_t scale = wasm_f32x4_splat(1 / stats[row] * 127);
    size_t i = 0;
    for (; i + 8 <= k; i += 8) {
      const v128_t words = wasm_i16x8_narrow_i32x4(quantize4(row, i, scale), quantize4(row, i + 4, scale));
      wasm_v128_store64_lane(to + i, wasm_i8x16_narrow_i16x8(words, words), 0);
    }
    if (i < k) {
      // The rest of a row as a row of its own.
      const size_t bytes = x.dtype == HB_FLOAT32 ? 4 : 2;
      const Floats rest{static_cast<const char *>(x.data) + (row * k + i) * bytes, x.dtype};
      scalar_kernels.int8_row_quant(rest, k - i, threshold, stats + row, mask ? mask + i : nullptr, 0, 1, to + i);
    }
  }
}

// ── Product ──

constexpr size_t product_k = 2048;
constexpr size_t product_rows = 8;

/// Wraps as 32-bit integers do.
inline uint32_t sum_of_lanes(v128_t v) {
  v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return uint32_t(wasm_i32x4_extract_lane(v, 0)) + uint32_t(wasm_i32x4_extract_lane(v, 1));
}

/// total[4·i + j] = `rows` rows of a times four of b.
template <int rows>
inline void multiply(const int8_t *a, size_t k, const int8_t *b0, const int8_t *b1, const int8_t *b2, const int8_t *b3, size_t count,
                     int32_t (&total)[8]) {
  v128_t sum[2][4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) sum[i / 4][i % 4] = wasm_i32x4_const_splat(0);
  const size_t whole = count / 8 * 8;
  for (size_t at = 0; at < whole; at += 8) {
    const v128_t w0 = wasm_i16x8_load8x8(b0 + at), w1 = wasm_i16x8_load8x8(b1 + at), w2 = wasm_i16x8_load8x8(b2 + at),
                 w3 = wasm_i16x8_load8x8(b3 + at);
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++) {
      const v128_t value = wasm_i16x8_load8x8(a + size_t(i) * k + at);
      sum[i][0] = wasm_i32x4_add(sum[i][0], wasm_i32x4_dot_i16x8(value, w0));
      sum[i][1] = wasm_i32x4_add(sum[i][1], wasm_i32x4_dot_i16x8(value, w1));
      sum[i][2] = wasm_i32x4_add(sum[i][2], wasm_i32x4_dot_i16x8(value, w2));
      sum[i][3] = wasm_i32x4_add(sum[i][3], wasm_i32x4_dot_i16x8(value, w3));
    }
  }
  const int8_t *const b[4] = {b0, b1, b2, b3};
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++) {
      uint32_t all = sum_of_lanes(sum[i][j]);
      for (size_t at = whole; at < count; at++) all += uint32_t(a[size_t(i) * k + at] * b[j][at]);
      total[4 * i + j] = int32_t(all);
    }
}

/// What comes after the first piece of k is added.
void store(const int32_t (&total)[8], size_t rows, size_t columns, bool is_first, int32_t *out, size_t stride) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      int32_t *const to = out + i * stride + j;
      *to = is_first ? total[4 * i + j] : int32_t(uint32_t(*to) + uint32_t(total[4 * i + j]));
    }
}

void product(const int8_t *a, const int8_t *b, size_t m, size_t n, size_t k, int32_t *out, size_t stride) {
  for (size_t column = 0; column < n; column += product_rows) {
    for (size_t first = 0; first < k || first == 0; first += product_k) {
      const size_t count = k - first < product_k ? k - first : product_k;
      for (size_t row = 0; row < m; row += 2) {
        const size_t rows = m - row < 2 ? 1 : 2;
        for (size_t part = column; part < n && part < column + product_rows; part += 4) {
          // A last group of fewer rows of b repeats its last one.
          const size_t last = n - part < 4 ? n - part - 1 : 3;
          const int8_t *const b0 = b + part * k + first, *const b1 = b0 + (last < 1 ? last : 1) * k, *const b2 = b0 + (last < 2 ? last : 2) * k,
                             *const b3 = b0 + last * k;
          int32_t total[8];
          if (rows == 2) multiply<2>(a + row * k + first, k, b0, b1, b2, b3, count, total);
          else multiply<1>(a + row * k + first, k, b0, b1, b2, b3, count, total);
          store(total, rows, last + 1, first == 0, out + row * stride + part, stride);
        }
      }
    }
  }
}

}  // namespace

int64_t int8_row_stats(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *stats, uint8_t *mask) {
  const auto run = [&](auto typed) { return typed(x, size_t(k), threshold, look, size_t(begin), size_t(end), stats, mask); };
  if (x.dtype == HB_FLOAT32) return run(row_stats<HB_FLOAT32>);
  if (x.dtype == HB_FLOAT16) return run(row_stats<HB_FLOAT16>);
  return run(row_stats<HB_BFLOAT16>);
}

void int8_row_quant(Floats x, uint64_t k, float threshold, const float *stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q) {
  const auto run = [&](auto typed) { typed(x, size_t(k), threshold, stats, mask, size_t(begin), size_t(end), q); };
  if (x.dtype == HB_FLOAT32) run(row_quant<HB_FLOAT32>);
  else if (x.dtype == HB_FLOAT16) run(row_quant<HB_FLOAT16>);
  else run(row_quant<HB_BFLOAT16>);
}

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  product(a, b, size_t(m), size_t(n), size_t(k), out, size_t(stride));
}

}  // namespace hb::wasm
