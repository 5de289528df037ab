// The exact int8 product: bytes widened to 16 bits, vpmaddwd into int32, two rows of a by four of b. (vpmaddubsw would saturate.)
// Registers: sums 8, b 4, a 1.
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

constexpr uint64_t product_k = 2048;
constexpr uint64_t product_rows = 8;

inline __m256i widen16(const int8_t *bytes) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes))); }

/// Lane 4·i + j is the sum of the lanes of s[i][j].
inline __m256i sum_lanes(const __m256i (&s)[2][4]) {
  const __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(s[0][0], s[0][1]), _mm256_hadd_epi32(s[0][2], s[0][3]));
  const __m256i second = _mm256_hadd_epi32(_mm256_hadd_epi32(s[1][0], s[1][1]), _mm256_hadd_epi32(s[1][2], s[1][3]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20), _mm256_permute2x128_si256(first, second, 0x31));
}

/// total[4·i + j] = `rows` rows of a times four of b.
template <int rows>
inline void multiply(const int8_t *a, uint64_t k, const int8_t *b0, const int8_t *b1, const int8_t *b2, const int8_t *b3, uint64_t count,
                     int32_t (&total)[8]) {
  __m256i sum[2][4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) sum[i / 4][i % 4] = _mm256_setzero_si256();
  const uint64_t whole = count / 16 * 16;
  for (uint64_t at = 0; at < whole; at += 16) {
    const __m256i w0 = widen16(b0 + at), w1 = widen16(b1 + at), w2 = widen16(b2 + at), w3 = widen16(b3 + at);
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++) {
      const __m256i value = widen16(a + uint64_t(i) * k + at);
      sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(value, w0));
      sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(value, w1));
      sum[i][2] = _mm256_add_epi32(sum[i][2], _mm256_madd_epi16(value, w2));
      sum[i][3] = _mm256_add_epi32(sum[i][3], _mm256_madd_epi16(value, w3));
    }
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(total), sum_lanes(sum));
  const int8_t *const b[4] = {b0, b1, b2, b3};
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++)
      for (uint64_t at = whole; at < count; at++)
        total[4 * i + j] = int32_t(uint32_t(total[4 * i + j]) + uint32_t(a[uint64_t(i) * k + at] * b[j][at]));
}

}  // namespace

void int8_matmul(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride) {
  for (uint64_t column = 0; column < n; column += product_rows) {
    for (uint64_t first = 0; first < k || first == 0; first += product_k) {
      const uint64_t count = k - first < product_k ? k - first : product_k;
      for (uint64_t row = 0; row < m; row += 2) {
        const uint64_t rows = m - row < 2 ? 1 : 2;
        for (uint64_t part = column; part < n && part < column + product_rows; part += 4) {
          // A last group of fewer rows of b repeats its last one.
          const uint64_t last = n - part < 4 ? n - part - 1 : 3;
          const int8_t *const b0 = b + part * k + first, *const b1 = b0 + (last < 1 ? last : 1) * k, *const b2 = b0 + (last < 2 ? last : 2) * k,
                             *const b3 = b0 + last * k;
          int32_t total[8];
          if (rows == 2) multiply<2>(a + row * k + first, k, b0, b1, b2, b3, count, total);
          else multiply<1>(a + row * k + first, k, b0, b1, b2, b3, count, total);
          for (uint64_t i = 0; i < rows; i++)
            for (uint64_t j = 0; j <= last; j++) {
              int32_t *const to = out + (row + i) * stride + part + j;
              *to = first == 0 ? total[4 * i + j] : int32_t(uint32_t(*to) + uint32_t(total[4 * i + j]));
            }
        }
      }
    }
  }
}

}  // namespace hb::avx2
