// x·Wᵀ with W in 4 bits. One row of x: four weight rows fused, sums of a block on the unscaled table, then times absmax. More rows: tiles decoded once
// into L1 (simd_neon.h). Registers, fused: planes 4, x 4, block sums 4, their total 1, nibble mask 1, decoding 8.
#include "simd_neon.h"

namespace hb::neon {
namespace {

struct Weight4 {
  const uint8_t *codes;
  const float *absmax;
  const float *code;
  uint32_t block_size;
};

/// Sixteen columns of x.
struct Columns16 {
  float32x4_t x0, x1, x2, x3;
  explicit Columns16(const float *x) : x0(vld1q_f32(x)), x1(vld1q_f32(x + 4)), x2(vld1q_f32(x + 8)), x3(vld1q_f32(x + 12)) {}
  /// Adds their products with the weights of eight bytes of codes.
  inline float32x4_t times(const Table16 &table, const uint8_t *codes, float32x4_t sum) const {
    float32x4_t w0, w1, w2, w3;
    table.look_up(nibbles16(codes), w0, w1, w2, w3);
    return vfmaq_f32(vfmaq_f32(vfmaq_f32(vfmaq_f32(sum, w0, x0), w1, x1), w2, x2), w3, x3);
  }
};

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
    float32x4_t total = vdupq_n_f32(0);
    for (uint64_t block = 0, at = 0; block < row_blocks; block++) {
      float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
      for (const uint64_t until = at + block_bytes; at < until; at += 8) {
        const Columns16 columns(x + 2 * at);
        s0 = columns.times(table, c0 + at, s0);
        s1 = columns.times(table, c1 + at, s1);
        s2 = columns.times(table, c2 + at, s2);
        s3 = columns.times(table, c3 + at, s3);
      }
      const float32x4_t scales = {a0[block], a1[block], a2[block], a3[block]};
      total = vfmaq_f32(total, sum_lanes({s0, s1, s2, s3}), scales);
    }
    float sums[4];
    vst1q_f32(sums, total);
    for (uint64_t r = 0; r <= last; r++) store_one(out, row + r, bias ? sums[r] + bias[row + r] : sums[r]);
  }
}

/// Flat elements [first, first + count) as f32. Groups of 16 that start on a multiple of 16 lie in one block and whole bytes.
void decode_run(const Weight4 &weight, const Table16 &table, uint64_t first, uint64_t count, float *to) {
  uint64_t i = 0;
  if (first % 16 == 0 && weight.block_size % 16 == 0) {
    while (i + 16 <= count) {
      const uint64_t block = (first + i) / weight.block_size, block_end = (block + 1) * weight.block_size - first;
      const float32x4_t scale = vdupq_n_f32(weight.absmax[block]);
      for (const uint64_t until = block_end < count ? block_end : count; i + 16 <= until; i += 16)
        table.decode16(weight.codes + (first + i) / 2, scale, to + i);
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
  if (m == 1 && block_size % 16 == 0 && k % block_size == 0) return fused_vector(x, weight, bias, k, begin, end, out);
  const Table16 table(code);
  tile_product(x, bias, m, n, k, begin, end, out,
               [&](uint64_t row, uint64_t first, uint64_t count, float *to) { decode_run(weight, table, row * k + first, count, to); });
}

}  // namespace hb::neon
