// x·Wᵀ with W in 4 bits, products and sums in f32. One row of x: its even and its odd elements are laid apart once, in pieces, so that a weight row's
// codes need no interleaving; sums of a block on the unscaled table, then times absmax. More rows: tiles decoded once (simd_wasm.h).
// Registers, one row: planes 4, values 4, x 1, sums of the block 4, total 1.
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

struct Weight4 {
  const uint8_t *codes;
  const float *absmax;
  const float *code;
  size_t block_size;
};

// ── One row of x ──

/// Elements of x at a time: 16 KiB laid apart.
constexpr size_t vector_k = 4096;

/// Of each 32 elements the 16 even ones, then the 16 odd ones.
void lay_apart(const float *x, size_t count, float *to) {
  for (size_t i = 0; i < count; i += 32)
    for (size_t j = 0; j < 32; j += 8) {
      const v128_t a = wasm_v128_load(x + i + j), b = wasm_v128_load(x + i + j + 4);
      wasm_v128_store(to + i + j / 2, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6));
      wasm_v128_store(to + i + 16 + j / 2, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
    }
}

struct Sums {
  v128_t s0, s1, s2, s3;
  inline void add(const Table16::Values &w, const float *x) {
    s0 = multiply_add(w.v0, wasm_v128_load(x), s0);
    s1 = multiply_add(w.v1, wasm_v128_load(x + 4), s1);
    s2 = multiply_add(w.v2, wasm_v128_load(x + 8), s2);
    s3 = multiply_add(w.v3, wasm_v128_load(x + 12), s3);
  }
  inline v128_t total() const { return wasm_f32x4_add(wasm_f32x4_add(s0, s1), wasm_f32x4_add(s2, s3)); }
};

/// `blocks` blocks of one weight row times x, laid apart.
inline float multiply_blocks(const Table16 &table, const uint8_t *codes, const float *absmax, size_t block_size, size_t blocks, const float *x) {
  v128_t total = wasm_f32x4_const_splat(0);
  for (size_t block = 0; block < blocks; block++) {
    Sums sums = {wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0)};
    for (const float *const stop = x + block_size; x < stop; x += 32, codes += 16) {
      const v128_t packed = wasm_v128_load(codes);
      sums.add(table(even_codes(packed)), x);
      sums.add(table(odd_codes(packed)), x + 16);
    }
    total = multiply_add(sums.total(), wasm_v128_load32_splat(absmax + block), total);
  }
  return sum_of(total);
}

/// Rows are whole blocks, and blocks whole pieces of 32.
void multiply_vector(const float *x, const Weight4 &weight, const float *bias, size_t k, size_t begin, size_t end, MutableFloats out) {
  constexpr size_t rows_at_once = 64;
  const Table16 table(weight.code);
  const size_t piece_blocks = vector_k / weight.block_size, row_blocks = k / weight.block_size;
  alignas(16) float apart[vector_k];
  for (size_t row = begin; row < end; row += rows_at_once) {
    const size_t rows = end - row < rows_at_once ? end - row : rows_at_once;
    float total[rows_at_once] = {};
    for (size_t block = 0; block < row_blocks; block += piece_blocks) {
      const size_t blocks = row_blocks - block < piece_blocks ? row_blocks - block : piece_blocks;
      lay_apart(x + block * weight.block_size, blocks * weight.block_size, apart);
      for (size_t r = 0; r < rows; r++) {
        const size_t first = (row + r) * row_blocks + block;
        total[r] += multiply_blocks(table, weight.codes + first * weight.block_size / 2, weight.absmax + first, weight.block_size, blocks, apart);
      }
    }
    for (size_t r = 0; r < rows; r++) store_one(out, row + r, bias ? total[r] + bias[row + r] : total[r]);
  }
}

bool suits_vector(const Weight4 &weight, size_t k) {
  return weight.block_size % 32 == 0 && weight.block_size <= vector_k && k % weight.block_size == 0;
}

// ── Several rows of x ──

/// Flat elements [first, first + count) as f32.
void decode_run(const Weight4 &weight, const Table16 &table, size_t first, size_t count, float *to) {
  size_t i = 0;
  // Groups of 16 that start on a multiple of 16 lie in one block and whole bytes.
  if (first % 16 == 0 && weight.block_size % 16 == 0) {
    while (i + 16 <= count) {
      const size_t block = (first + i) / weight.block_size, block_end = (block + 1) * weight.block_size - first;
      const v128_t scale = wasm_v128_load32_splat(weight.absmax + block);
      for (const size_t until = block_end < count ? block_end : count; i + 16 <= until; i += 16) {
        const v128_t packed = wasm_v128_load64_zero(weight.codes + (first + i) / 2);
        const Table16::Values values = table(low_bytes(even_codes(packed), odd_codes(packed)));
        wasm_v128_store(to + i, wasm_f32x4_mul(values.v0, scale));
        wasm_v128_store(to + i + 4, wasm_f32x4_mul(values.v1, scale));
        wasm_v128_store(to + i + 8, wasm_f32x4_mul(values.v2, scale));
        wasm_v128_store(to + i + 12, wasm_f32x4_mul(values.v3, scale));
      }
    }
  }
  for (; i < count; i++) {
    const size_t flat = first + i;
    const uint8_t pair = weight.codes[flat / 2];
    to[i] = weight.code[flat % 2 == 0 ? pair >> 4 : pair & 15] * weight.absmax[flat / weight.block_size];
  }
}

}  // namespace

void gemm_4bit(const float *x, const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, const float *bias, uint64_t m,
               uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out) {
  const Weight4 weight{codes, absmax, code, block_size};
  if (m == 1 && suits_vector(weight, size_t(k))) return multiply_vector(x, weight, bias, size_t(k), size_t(begin), size_t(end), out);
  const Table16 table(code);
  tile_product(x, bias, size_t(m), size_t(n), size_t(k), size_t(begin), size_t(end), out,
               [&](size_t row, size_t first, size_t count, float *to) { decode_run(weight, table, row * size_t(k) + first, count, to); });
}

}  // namespace hb::wasm
