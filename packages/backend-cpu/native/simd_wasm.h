// What the WebAssembly kernels share: loads and stores of every float dtype, the 16-entry tables, the tile product of both matrix kernels.
//
// Vectors have 128 bits, and engines have about fifteen registers for them. Addresses are 32 bits wide, so inner loops count in size_t.
// Internal linkage on purpose, see simd_avx512.h.
#pragma once
#include <stddef.h>
#include <string.h>
#include <wasm_simd128.h>

#include "block_reciprocal.h"
#include "wasm.h"

namespace hb::wasm {
namespace {

// ── Relaxed instructions, where there are any ──

/// `indices` below 16.
inline v128_t lookup(v128_t table, v128_t indices) {
#if defined(__wasm_relaxed_simd__)
  return wasm_i8x16_relaxed_swizzle(table, indices);
#else
  return wasm_i8x16_swizzle(table, indices);
#endif
}

/// a·b + c with one rounding or two: for products alone.
inline v128_t multiply_add(v128_t a, v128_t b, v128_t c) {
#if defined(__wasm_relaxed_simd__)
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

/// Bits of `a` where the lane of `mask` is all ones, else of `b`.
inline v128_t select32(v128_t mask, v128_t a, v128_t b) {
#if defined(__wasm_relaxed_simd__)
  return wasm_i32x4_relaxed_laneselect(a, b, mask);
#else
  return wasm_v128_bitselect(a, b, mask);
#endif
}

// ── Floats of any dtype ──

/// Four float16 in the low halves of four lanes.
inline v128_t widen_float16x4(v128_t halves) {
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_const_splat(0x8000)), 16);
  const v128_t magnitude = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_const_splat(0x7fff)), 13);
  // The exponent is off by 112, subnormals included.
  const v128_t finite = wasm_f32x4_mul(magnitude, wasm_f32x4_const_splat(0x1p112f));
  const v128_t is_finite = wasm_i32x4_lt(magnitude, wasm_i32x4_const_splat(0x7c00 << 13));
  const v128_t value = select32(is_finite, finite, wasm_v128_or(magnitude, wasm_i32x4_const_splat(0x7f800000)));
  return wasm_v128_or(sign, value);
}

template <hb_dtype dtype>
inline v128_t load4(const void *data, size_t at) {
  if constexpr (dtype == HB_FLOAT32) return wasm_v128_load(static_cast<const float *>(data) + at);
  const v128_t halves = wasm_u32x4_load16x4(static_cast<const uint16_t *>(data) + at);
  if constexpr (dtype == HB_FLOAT16) return widen_float16x4(halves);
  return wasm_i32x4_shl(halves, 16);
}

inline float load_one(Floats x, size_t at) {
  if (x.dtype == HB_FLOAT32) return static_cast<const float *>(x.data)[at];
  const v128_t half = wasm_i32x4_splat(static_cast<const uint16_t *>(x.data)[at]);
  return wasm_f32x4_extract_lane(x.dtype == HB_FLOAT16 ? widen_float16x4(half) : wasm_i32x4_shl(half, 16), 0);
}

/// One where the bit above those cut off is set: added to half of the last place less one, it rounds ties to even.
template <int bits>
inline v128_t last_bit(v128_t values) {
  return wasm_v128_and(wasm_u32x4_shr(values, bits), wasm_i32x4_const_splat(1));
}

/// Rounded to nearest even, in the low halves of the lanes; as narrow_to_bfloat16 of float16.h.
inline v128_t to_bfloat16(v128_t bits) {
  const v128_t rounded = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(bits, wasm_i32x4_const_splat(0x7fff)), last_bit<16>(bits)), 16);
  const v128_t quiet = wasm_v128_or(wasm_u32x4_shr(bits, 16), wasm_i32x4_const_splat(0x40));
  return select32(wasm_f32x4_ne(bits, bits), quiet, rounded);
}

/// As narrow_to_float16 of float16.h, whose cases these are.
inline v128_t to_float16(v128_t bits) {
  const v128_t sign = wasm_v128_and(wasm_u32x4_shr(bits, 16), wasm_i32x4_const_splat(0x8000));
  const v128_t magnitude = wasm_v128_and(bits, wasm_i32x4_const_splat(0x7fffffff));
  const v128_t rebased = wasm_i32x4_sub(magnitude, wasm_i32x4_const_splat(0x38000000));
  const v128_t normal = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(rebased, wasm_i32x4_const_splat(0xfff)), last_bit<13>(rebased)), 13);
  const v128_t half = wasm_f32x4_const_splat(0.5f);
  const v128_t subnormal = wasm_i32x4_sub(wasm_f32x4_add(magnitude, half), half);
  const v128_t nan = wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(magnitude, 13), wasm_i32x4_const_splat(0x3ff)), wasm_i32x4_const_splat(0x7e00));
  v128_t value = select32(wasm_i32x4_lt(magnitude, wasm_i32x4_const_splat(0x38800000)), subnormal, normal);
  value = select32(wasm_i32x4_lt(magnitude, wasm_i32x4_const_splat(0x477ff000)), value, wasm_i32x4_const_splat(0x7c00));
  value = select32(wasm_i32x4_gt(magnitude, wasm_i32x4_const_splat(0x7f800000)), nan, value);
  return wasm_v128_or(sign, value);
}

template <hb_dtype dtype>
inline v128_t to_half(v128_t values) {
  if constexpr (dtype == HB_FLOAT16) return to_float16(values);
  return to_bfloat16(values);
}

/// Eight values rounded to a 16-bit dtype.
template <hb_dtype dtype>
inline v128_t to_halves(v128_t first, v128_t second) {
  return wasm_u16x8_narrow_i32x4(to_half<dtype>(first), to_half<dtype>(second));
}

template <hb_dtype dtype>
inline void store8(void *data, size_t at, v128_t first, v128_t second) {
  if constexpr (dtype == HB_FLOAT32) {
    wasm_v128_store(static_cast<float *>(data) + at, first);
    wasm_v128_store(static_cast<float *>(data) + at + 4, second);
  } else {
    wasm_v128_store(static_cast<uint16_t *>(data) + at, to_halves<dtype>(first, second));
  }
}

inline void store_one(MutableFloats out, size_t at, float value) {
  if (out.dtype == HB_FLOAT32) {
    static_cast<float *>(out.data)[at] = value;
    return;
  }
  const v128_t lane = wasm_f32x4_splat(value);
  const v128_t half = out.dtype == HB_FLOAT16 ? to_float16(lane) : to_bfloat16(lane);
  static_cast<uint16_t *>(out.data)[at] = uint16_t(wasm_i32x4_extract_lane(half, 0));
}

// ── Lanes ──

inline v128_t low_bytes(v128_t a, v128_t b) { return wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
inline v128_t high_bytes(v128_t a, v128_t b) { return wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
inline v128_t low_words(v128_t a, v128_t b) { return wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
inline v128_t high_words(v128_t a, v128_t b) { return wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }

// ── Magnitudes ──

/// |value| as an integer: the order of the floats, Infinity and NaN on top.
inline v128_t magnitude_bits(v128_t values) { return wasm_v128_and(values, wasm_i32x4_const_splat(0x7fffffff)); }
constexpr uint32_t infinity_bits = 0x7f800000;

inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t largest_lane(v128_t values) {
  v128_t m = wasm_i32x4_max(values, wasm_i32x4_shuffle(values, values, 2, 3, 0, 1));
  m = wasm_i32x4_max(m, wasm_i32x4_shuffle(m, m, 1, 0, 3, 2));
  return uint32_t(wasm_i32x4_extract_lane(m, 0));
}

/// The largest magnitude of a multiple of 16 values.
template <hb_dtype dtype>
inline uint32_t largest_of(const void *x, size_t first, size_t count) {
  v128_t m0 = wasm_i32x4_const_splat(0), m1 = m0;
  for (size_t i = first; i < first + count; i += 16) {
    m0 = wasm_i32x4_max(m0, magnitude_bits(load4<dtype>(x, i)));
    m1 = wasm_i32x4_max(m1, magnitude_bits(load4<dtype>(x, i + 4)));
    m0 = wasm_i32x4_max(m0, magnitude_bits(load4<dtype>(x, i + 8)));
    m1 = wasm_i32x4_max(m1, magnitude_bits(load4<dtype>(x, i + 12)));
  }
  return largest_lane(wasm_i32x4_max(m0, m1));
}

// ── A table of sixteen floats ──

/// Four planes of bytes: sixteen codes are looked up in each, and the bytes of a value are put together again.
struct Table16 {
  v128_t plane0, plane1, plane2, plane3;

  explicit Table16(const float *code) {
    uint8_t bytes[4][16];
    for (int i = 0; i < 16; i++) {
      uint32_t bits;
      memcpy(&bits, code + i, sizeof bits);
      for (int plane = 0; plane < 4; plane++) bytes[plane][i] = uint8_t(bits >> (8 * plane));
    }
    plane0 = wasm_v128_load(bytes[0]), plane1 = wasm_v128_load(bytes[1]), plane2 = wasm_v128_load(bytes[2]), plane3 = wasm_v128_load(bytes[3]);
  }

  struct Values {
    v128_t v0, v1, v2, v3;
  };
  /// The values of sixteen codes.
  inline Values operator()(v128_t codes) const {
    const v128_t b0 = lookup(plane0, codes), b1 = lookup(plane1, codes), b2 = lookup(plane2, codes), b3 = lookup(plane3, codes);
    const v128_t low01 = low_bytes(b0, b1), high01 = high_bytes(b0, b1), low23 = low_bytes(b2, b3), high23 = high_bytes(b2, b3);
    return {low_words(low01, low23), high_words(low01, low23), low_words(high01, high23), high_words(high01, high23)};
  }
};

/// Codes of elements 0, 2, 4 … and 1, 3, 5 … of sixteen packed bytes.
inline v128_t even_codes(v128_t packed) { return wasm_u8x16_shr(packed, 4); }
inline v128_t odd_codes(v128_t packed) { return wasm_v128_and(packed, wasm_i8x16_const_splat(15)); }

// ── Tile product, as in simd_avx512.h ──
//
// Two rows of x by four of the tile. Registers: sum[2][4] 8, weights 4, x 1.

constexpr size_t tile_rows = 4;
constexpr size_t tile_k = 1024;
constexpr size_t tile_m = 64;

inline float sum_of(v128_t v) {
  v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

/// Adds `rows` rows of x times 4 rows of the tile to total[4·i + j].
template <int rows>
inline void multiply_tile(const float *x, size_t k, const float *tile, size_t count, float *total) {
  v128_t sum[2][4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) sum[i / 4][i % 4] = wasm_f32x4_const_splat(0);
  const size_t whole = count / 4 * 4;
  for (size_t at = 0; at < whole; at += 4) {
    const v128_t w0 = wasm_v128_load(tile + at), w1 = wasm_v128_load(tile + tile_k + at);
    const v128_t w2 = wasm_v128_load(tile + 2 * tile_k + at), w3 = wasm_v128_load(tile + 3 * tile_k + at);
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++) {
      const v128_t value = wasm_v128_load(x + size_t(i) * k + at);
      sum[i][0] = multiply_add(value, w0, sum[i][0]);
      sum[i][1] = multiply_add(value, w1, sum[i][1]);
      sum[i][2] = multiply_add(value, w2, sum[i][2]);
      sum[i][3] = multiply_add(value, w3, sum[i][3]);
    }
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++) {
      float tail = sum_of(sum[i][j]);
      for (size_t at = whole; at < count; at++) tail += x[size_t(i) * k + at] * tile[size_t(j) * tile_k + at];
      total[4 * i + j] += tail;
    }
}

/// Rows [begin, end) of a weight whose pieces `decode(row, first, count, to)` writes as f32.
template <typename Decode>
inline void tile_product(const float *x, const float *bias, size_t m, size_t n, size_t k, size_t begin, size_t end, MutableFloats out,
                         const Decode &decode) {
  alignas(16) float tile[tile_rows * tile_k];
  float total[tile_m * 4];
  memset(tile, 0, sizeof tile);
  for (size_t first_m = 0; first_m < m; first_m += tile_m) {
    const size_t count_m = m - first_m < tile_m ? m - first_m : tile_m;
    for (size_t row = begin; row < end; row += tile_rows) {
      const size_t rows = end - row < tile_rows ? end - row : tile_rows;
      memset(total, 0, count_m * 4 * sizeof(float));
      for (size_t first = 0; first < k; first += tile_k) {
        const size_t count = k - first < tile_k ? k - first : tile_k;
        for (size_t r = 0; r < rows; r++) decode(row + r, first, count, tile + r * tile_k);
        for (size_t i = 0; i < count_m; i += 2) {
          const float *const xs = x + (first_m + i) * k + first;
          if (count_m - i >= 2) multiply_tile<2>(xs, k, tile, count, total + 4 * i);
          else multiply_tile<1>(xs, k, tile, count, total + 4 * i);
        }
      }
      for (size_t i = 0; i < count_m; i++)
        for (size_t r = 0; r < rows; r++) store_one(out, (first_m + i) * n + row + r, bias ? total[4 * i + r] + bias[row + r] : total[4 * i + r]);
    }
  }
}

}  // namespace
}  // namespace hb::wasm
