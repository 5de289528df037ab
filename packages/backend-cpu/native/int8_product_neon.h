// The exact int8 product of both Arm variants, which differ in how sixteen products are added to four lanes: four rows of a by four of b, all vectors
// along k as the rows lie. Sums wrap as 32-bit integers do. Registers: sums 16, b 4, a 1.
#pragma once
#include "simd_neon.h"

namespace hb::neon {
namespace {

constexpr uint64_t product_k = 2048;
constexpr uint64_t product_rows = 8;

/// The first `count` of 16 bytes; the others are 0.
inline int8x16_t load_first(const int8_t *bytes, uint64_t count) {
  int8_t padded[16] = {};
  memcpy(padded, bytes, count);
  return vld1q_s8(padded);
}

/// total[4·i + j] = `rows` rows of a times four of b.
template <typename Accumulate, int rows>
inline void multiply(const int8_t *a, uint64_t k, const int8_t *b0, const int8_t *b1, const int8_t *b2, const int8_t *b3, uint64_t count,
                     int32_t *total) {
  int32x4_t sum[rows][4];
#pragma GCC unroll 16
  for (int i = 0; i < 4 * rows; i++) sum[i / 4][i % 4] = vdupq_n_s32(0);
  const auto step = [&](uint64_t at, const auto &load) __attribute__((always_inline)) {
    const int8x16_t w0 = load(b0 + at), w1 = load(b1 + at), w2 = load(b2 + at), w3 = load(b3 + at);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
      const int8x16_t value = load(a + uint64_t(i) * k + at);
      sum[i][0] = Accumulate::add(sum[i][0], value, w0);
      sum[i][1] = Accumulate::add(sum[i][1], value, w1);
      sum[i][2] = Accumulate::add(sum[i][2], value, w2);
      sum[i][3] = Accumulate::add(sum[i][3], value, w3);
    }
  };
  const uint64_t whole = count / 16 * 16;
  for (uint64_t at = 0; at < whole; at += 16) step(at, [](const int8_t *bytes) { return vld1q_s8(bytes); });
  if (whole < count) step(whole, [&](const int8_t *bytes) { return load_first(bytes, count - whole); });
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++)
    vst1q_s32(total + 4 * i, vpaddq_s32(vpaddq_s32(sum[i][0], sum[i][1]), vpaddq_s32(sum[i][2], sum[i][3])));
}

/// At most four of `rows` rows.
template <typename Accumulate>
inline void multiply_rows(const int8_t *a, uint64_t rows, uint64_t k, const int8_t *const (&b)[4], uint64_t count, int32_t *total) {
  if (rows >= 4) multiply<Accumulate, 4>(a, k, b[0], b[1], b[2], b[3], count, total);
  else if (rows == 3) multiply<Accumulate, 3>(a, k, b[0], b[1], b[2], b[3], count, total);
  else if (rows == 2) multiply<Accumulate, 2>(a, k, b[0], b[1], b[2], b[3], count, total);
  else multiply<Accumulate, 1>(a, k, b[0], b[1], b[2], b[3], count, total);
}

template <typename Accumulate>
inline void product(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  // Eight rows of b, 2 KiB of each, stay in L1 while the rows of a pass by.
  for (uint64_t column = 0; column < n; column += product_rows) {
    for (uint64_t first = 0; first < k || first == 0; first += product_k) {
      const uint64_t count = k - first < product_k ? k - first : product_k;
      for (uint64_t row = 0; row < m; row += 4) {
        for (uint64_t part = column; part < n && part < column + product_rows; part += 4) {
          // A last group of fewer rows of b repeats its last one.
          const uint64_t last = n - part < 4 ? n - part - 1 : 3;
          const int8_t *const b0 = b + part * k + first;
          const int8_t *const rows_of_b[4] = {b0, b0 + (last < 1 ? last : 1) * k, b0 + (last < 2 ? last : 2) * k, b0 + last * k};
          int32_t total[16];
          multiply_rows<Accumulate>(a + row * k + first, m - row, k, rows_of_b, count, total);
          for (uint64_t i = 0; i < 4 && row + i < m; i++)
            for (uint64_t j = 0; j <= last; j++) {
              int32_t *const to = out + (row + i) * stride + part + j;
              *to = first == 0 ? total[4 * i + j] : int32_t(uint32_t(*to) + uint32_t(total[4 * i + j]));
            }
        }
      }
    }
  }
}

}  // namespace
}  // namespace hb::neon
