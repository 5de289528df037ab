// x·Wᵀ with W in 4 bits. One row of x: four weight rows fused, sums of a block on the unscaled table, then times absmax (a scaled table per row
// would not fit). More rows: tiles decoded once into L1 (tile_product_avx2.h). Registers, fused: table 2, shifts 1, x 1, block sums 4, sums 4, decoding 3.
#include "tile_product_avx2.h"

namespace hb::avx2 {
namespace {

struct Weight4 {
  const uint8_t *codes;
  const float *absmax;
  const float *code;
  uint32_t block_size;
};

inline float sum_of(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/// One row of x: rows are whole blocks.
void fused_vector(const float *x, const Weight4 &weight, const float *bias, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const Table16 table(weight.code);
  const uint64_t row_bytes = k / 2, row_blocks = k / weight.block_size, block_bytes = weight.block_size / 2;
  for (uint64_t row = begin; row < end; row += 4) {
    // A last group of fewer rows repeats its last one.
    const uint64_t last = end - row < 4 ? end - row - 1 : 3;
    const uint64_t r1 = last < 1 ? last : 1, r2 = last < 2 ? last : 2, r3 = last;
    const uint8_t *const c0 = weight.codes + row * row_bytes, *const c1 = c0 + r1 * row_bytes, *const c2 = c0 + r2 * row_bytes,
                        *const c3 = c0 + r3 * row_bytes;
    const float *const a0 = weight.absmax + row * row_blocks, *const a1 = a0 + r1 * row_blocks, *const a2 = a0 + r2 * row_blocks,
                      *const a3 = a0 + r3 * row_blocks;
    __m256 t0 = _mm256_setzero_ps(), t1 = t0, t2 = t0, t3 = t0;
    const uint64_t ahead = 4 * row_bytes;
    for (uint64_t block = 0, at = 0; block < row_blocks; block++) {
      for (uint64_t line = 0; line < block_bytes; line += 64) {
        _mm_prefetch(reinterpret_cast<const char *>(c0 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c1 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c2 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c3 + ahead + at + line), _MM_HINT_T0);
      }
      __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
      for (const uint64_t until = at + block_bytes; at < until; at += 4) {
        const __m256 value = _mm256_loadu_ps(x + 2 * at);
        s0 = _mm256_fmadd_ps(table.decode8(c0 + at), value, s0);
        s1 = _mm256_fmadd_ps(table.decode8(c1 + at), value, s1);
        s2 = _mm256_fmadd_ps(table.decode8(c2 + at), value, s2);
        s3 = _mm256_fmadd_ps(table.decode8(c3 + at), value, s3);
      }
      t0 = _mm256_fmadd_ps(s0, _mm256_set1_ps(a0[block]), t0);
      t1 = _mm256_fmadd_ps(s1, _mm256_set1_ps(a1[block]), t1);
      t2 = _mm256_fmadd_ps(s2, _mm256_set1_ps(a2[block]), t2);
      t3 = _mm256_fmadd_ps(s3, _mm256_set1_ps(a3[block]), t3);
    }
    const float sums[4] = {sum_of(t0), sum_of(t1), sum_of(t2), sum_of(t3)};
    for (uint64_t r = 0; r <= last; r++) store_one(out, row + r, bias ? sums[r] + bias[row + r] : sums[r]);
  }
}

/// Flat elements [first, first + count) as f32. Groups of 8 that start on a multiple of 8 lie in one block and whole bytes.
void decode_run(const Weight4 &weight, uint64_t first, uint64_t count, float *to) {
  uint64_t i = 0;
  if (first % 8 == 0 && weight.block_size % 8 == 0) {
    const Table16 table(weight.code);
    while (i + 8 <= count) {
      const uint64_t block = (first + i) / weight.block_size, block_end = (block + 1) * weight.block_size - first;
      const Table16 scaled = table.times(weight.absmax[block]);
      for (const uint64_t until = block_end < count ? block_end : count; i + 8 <= until; i += 8)
        _mm256_storeu_ps(to + i, scaled.decode8(weight.codes + (first + i) / 2));
    }
  }
  for (; i < count; i++) {
    const uint64_t flat = first + i;
    const uint8_t pair = weight.codes[flat / 2];
    to[i] = weight.code[flat % 2 == 0 ? pair >> 4 : pair & 15] * weight.absmax[flat / weight.block_size];
  }
}

}  // namespace

void gemm_4bit(const float *x, const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, const float *bias, uint64_t m,
               uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const Weight4 weight{codes, absmax, code, block_size};
  if (m == 1 && block_size % 8 == 0 && k % block_size == 0) return fused_vector(x, weight, bias, k, begin, end, out);
  tile_product(x, bias, m, n, k, begin, end, out,
               [&](uint64_t row, uint64_t first, uint64_t count, float *to) { decode_run(weight, row * k + first, count, to); });
}

}  // namespace hb::avx2
