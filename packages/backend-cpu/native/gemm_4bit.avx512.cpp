// x·Wᵀ with W in 4 bits, in the layout of bitsandbytes: a row of codes is contiguous and so is its row of absmax.
//
// Up to 16 rows of x: fused, in groups of up to 4. Four weight rows at a time; of each, 16 nibbles become 16 lanes in order by one vpmultishiftqb and 16 decoded
// weights by one vpermps on the row's table times absmax, which is thus multiplied once per block. x is read as it lies.
// Registers: scaled tables 4, sums 4·m (8 for m = 1, two per row, so that no sum waits for the one before), x m, shifts 1, table 1, weight 1.
// More rows: each tile of weight rows is decoded once into L1 and multiplied with up to 64 rows of x (tile_product_avx512.h).
//
// Every product is of a decoded weight, fr(code·absmax), as in the reference; a sum has 16 or 32 lanes, each a chain of k/16 or k/32 FMAs.
#include "tile_product_avx512.h"

namespace hb::avx512 {
namespace {

constexpr uint64_t fused_rows = 4;
/// Up to here decoding again for every 4 rows of x is cheaper than writing tiles.
constexpr uint64_t most_fused = 16;
constexpr uint64_t rows_in_turn = 32;

inline __m512i nibble_shifts() { return _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 36, 32, 44, 40, 52, 48, 60, 56); }

/// 16 weights from 8 bytes.
inline __m512 decode16(const uint8_t *codes, __m512i shifts, __m512 scaled) {
  int64_t packed;
  memcpy(&packed, codes, sizeof packed);
  return _mm512_permutexvar_ps(_mm512_multishift_epi64_epi8(shifts, _mm512_set1_epi64(packed)), scaled);
}

struct Weight4 {
  const uint8_t *codes;
  const float *absmax;
  const float *code;
  uint32_t block_size;
};

/// One row of x: rows are whole blocks.
void fused_vector(const float *x, const Weight4 &weight, const float *bias, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const __m512i shifts = nibble_shifts();
  const __m512 table = _mm512_loadu_ps(weight.code);
  const uint64_t row_bytes = k / 2, row_blocks = k / weight.block_size, block_bytes = weight.block_size / 2;
  for (uint64_t row = begin; row < end; row += fused_rows) {
    // A last group of fewer rows repeats its last one.
    const uint64_t last = end - row < fused_rows ? end - row - 1 : fused_rows - 1;
    const uint64_t r1 = last < 1 ? last : 1, r2 = last < 2 ? last : 2, r3 = last;
    const uint8_t *const c0 = weight.codes + row * row_bytes, *const c1 = c0 + r1 * row_bytes, *const c2 = c0 + r2 * row_bytes,
                        *const c3 = c0 + r3 * row_bytes;
    const float *const a0 = weight.absmax + row * row_blocks, *const a1 = a0 + r1 * row_blocks, *const a2 = a0 + r2 * row_blocks,
                      *const a3 = a0 + r3 * row_blocks;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
    // The same columns of the next group: rows are streams too short for the hardware to follow.
    const uint64_t ahead = fused_rows * row_bytes;
    const float *xs = x;
    for (uint64_t block = 0, at = 0; block < row_blocks; block++) {
      const __m512 l0 = _mm512_mul_ps(table, _mm512_set1_ps(a0[block])), l1 = _mm512_mul_ps(table, _mm512_set1_ps(a1[block]));
      const __m512 l2 = _mm512_mul_ps(table, _mm512_set1_ps(a2[block])), l3 = _mm512_mul_ps(table, _mm512_set1_ps(a3[block]));
      if (at % 64 == 0 || block_bytes >= 64) {
        for (uint64_t line = 0; line < block_bytes; line += 64) {
          _mm_prefetch(reinterpret_cast<const char *>(c0 + ahead + at + line), _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char *>(c1 + ahead + at + line), _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char *>(c2 + ahead + at + line), _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char *>(c3 + ahead + at + line), _MM_HINT_T0);
        }
      }
#pragma GCC unroll 2
      for (const uint64_t until = at + block_bytes; at < until; at += 16, xs += 32) {
        const __m512 x0 = _mm512_loadu_ps(xs), x1 = _mm512_loadu_ps(xs + 16);
        s0 = _mm512_fmadd_ps(decode16(c0 + at, shifts, l0), x0, s0);
        s1 = _mm512_fmadd_ps(decode16(c1 + at, shifts, l1), x0, s1);
        s2 = _mm512_fmadd_ps(decode16(c2 + at, shifts, l2), x0, s2);
        s3 = _mm512_fmadd_ps(decode16(c3 + at, shifts, l3), x0, s3);
        t0 = _mm512_fmadd_ps(decode16(c0 + at + 8, shifts, l0), x1, t0);
        t1 = _mm512_fmadd_ps(decode16(c1 + at + 8, shifts, l1), x1, t1);
        t2 = _mm512_fmadd_ps(decode16(c2 + at + 8, shifts, l2), x1, t2);
        t3 = _mm512_fmadd_ps(decode16(c3 + at + 8, shifts, l3), x1, t3);
      }
    }
    const float sums[fused_rows] = {_mm512_reduce_add_ps(_mm512_add_ps(s0, t0)), _mm512_reduce_add_ps(_mm512_add_ps(s1, t1)),
                                    _mm512_reduce_add_ps(_mm512_add_ps(s2, t2)), _mm512_reduce_add_ps(_mm512_add_ps(s3, t3))};
    for (uint64_t r = 0; r <= last; r++) store_one(out, row + r, bias ? sums[r] + bias[row + r] : sums[r]);
  }
}

/// 2 to 4 rows of x.
template <int m>
void fused(const float *x, const Weight4 &weight, const float *bias, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const __m512i shifts = nibble_shifts();
  const __m512 table = _mm512_loadu_ps(weight.code);
  const uint64_t row_bytes = k / 2, row_blocks = k / weight.block_size, block_bytes = weight.block_size / 2;
  for (uint64_t row = begin; row < end; row += fused_rows) {
    const uint64_t last = end - row < fused_rows ? end - row - 1 : fused_rows - 1;
    const uint64_t r1 = last < 1 ? last : 1, r2 = last < 2 ? last : 2, r3 = last;
    const uint8_t *const c0 = weight.codes + row * row_bytes, *const c1 = c0 + r1 * row_bytes, *const c2 = c0 + r2 * row_bytes,
                        *const c3 = c0 + r3 * row_bytes;
    const float *const a0 = weight.absmax + row * row_blocks, *const a1 = a0 + r1 * row_blocks, *const a2 = a0 + r2 * row_blocks,
                      *const a3 = a0 + r3 * row_blocks;
    __m512 sum[4][4];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) sum[i / 4][i % 4] = _mm512_setzero_ps();
    const uint64_t ahead = fused_rows * row_bytes;
    for (uint64_t block = 0, at = 0; block < row_blocks; block++) {
      const __m512 l0 = _mm512_mul_ps(table, _mm512_set1_ps(a0[block])), l1 = _mm512_mul_ps(table, _mm512_set1_ps(a1[block]));
      const __m512 l2 = _mm512_mul_ps(table, _mm512_set1_ps(a2[block])), l3 = _mm512_mul_ps(table, _mm512_set1_ps(a3[block]));
      for (uint64_t line = 0; line < block_bytes; line += 64) {
        _mm_prefetch(reinterpret_cast<const char *>(c0 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c1 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c2 + ahead + at + line), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char *>(c3 + ahead + at + line), _MM_HINT_T0);
      }
      for (const uint64_t until = at + block_bytes; at < until; at += 8) {
        const __m512 w0 = decode16(c0 + at, shifts, l0), w1 = decode16(c1 + at, shifts, l1);
        const __m512 w2 = decode16(c2 + at, shifts, l2), w3 = decode16(c3 + at, shifts, l3);
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) {
          const __m512 value = _mm512_loadu_ps(x + uint64_t(i) * k + 2 * at);
          sum[i][0] = _mm512_fmadd_ps(value, w0, sum[i][0]);
          sum[i][1] = _mm512_fmadd_ps(value, w1, sum[i][1]);
          sum[i][2] = _mm512_fmadd_ps(value, w2, sum[i][2]);
          sum[i][3] = _mm512_fmadd_ps(value, w3, sum[i][3]);
        }
      }
    }
    alignas(64) float totals[16];
    _mm512_store_ps(totals, sum_lanes(sum));
    for (uint64_t i = 0; i < m; i++) {
      for (uint64_t r = 0; r <= last; r++) {
        const float total = totals[4 * i + r];
        store_one(out, i * n + row + r, bias ? total + bias[row + r] : total);
      }
    }
  }
}

/// Flat elements [first, first + count) as f32. Groups of 16 that start on a multiple of 16 lie in one block and whole bytes.
void decode_run(const Weight4 &weight, uint64_t first, uint64_t count, float *to) {
  uint64_t i = 0;
  if (first % 16 == 0 && weight.block_size % 16 == 0) {
    const __m512i shifts = nibble_shifts();
    const __m512 table = _mm512_loadu_ps(weight.code);
    while (i + 16 <= count) {
      const uint64_t block = (first + i) / weight.block_size, block_end = (block + 1) * weight.block_size - first;
      const __m512 scaled = _mm512_mul_ps(table, _mm512_set1_ps(weight.absmax[block]));
      for (const uint64_t until = block_end < count ? block_end : count; i + 16 <= until; i += 16)
        _mm512_storeu_ps(to + i, decode16(weight.codes + (first + i) / 2, shifts, scaled));
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
  const bool rows_are_blocks = block_size % 32 == 0 && k % block_size == 0;
  if (rows_are_blocks && m == 1) return fused_vector(x, weight, bias, k, begin, end, out);
  if (rows_are_blocks && m <= most_fused) {
    // Even groups of 2 to 4 rows of x; the codes of a few weight rows stay in L2 while the groups take turns.
    const uint64_t groups = (m + 3) / 4;
    for (uint64_t row = begin; row < end; row += rows_in_turn) {
      const uint64_t until = end - row < rows_in_turn ? end : row + rows_in_turn;
      for (uint64_t group = 0, at = 0; group < groups; group++) {
        const uint64_t count = m * (group + 1) / groups - at;
        const MutableFloats to{static_cast<char *>(out.data) + at * n * bytes_of(out.dtype), out.dtype};
        if (count == 4) fused<4>(x + at * k, weight, bias, n, k, row, until, to);
        else if (count == 3) fused<3>(x + at * k, weight, bias, n, k, row, until, to);
        else fused<2>(x + at * k, weight, bias, n, k, row, until, to);
        at += count;
      }
    }
    return;
  }
  tile_product(x, bias, m, n, k, begin, end, out,
               [&](uint64_t row, uint64_t first, uint64_t count, float *to) { decode_run(weight, row * k + first, count, to); });
}

}  // namespace hb::avx512
