// What the NEON kernels share: loads and stores of every float dtype, the 16-entry table, the tile product of both matrix kernels.
//
// Everything here has internal linkage on purpose, see simd_avx512.h. Baseline of 64-bit Arm, conversions to and from float16 included.
#pragma once
#include <arm_neon.h>
#include <string.h>

#include "block_reciprocal.h"
#include "neon.h"

namespace hb::neon {
namespace {

// ── Floats of any dtype ──

template <hb_dtype dtype>
inline float32x4_t load4(const void *data, uint64_t at) {
  if constexpr (dtype == HB_FLOAT32) return vld1q_f32(static_cast<const float *>(data) + at);
  const uint16x4_t halves = vld1_u16(static_cast<const uint16_t *>(data) + at);
  if constexpr (dtype == HB_FLOAT16) return vcvt_f32_f16(vreinterpret_f16_u16(halves));
  return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(halves), 16));
}

template <hb_dtype dtype>
inline float load_one(const void *data, uint64_t at) {
  if constexpr (dtype == HB_FLOAT32) return static_cast<const float *>(data)[at];
  const uint16x4_t half = vdup_n_u16(static_cast<const uint16_t *>(data)[at]);
  if constexpr (dtype == HB_FLOAT16) return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(half)), 0);
  return vgetq_lane_f32(vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(half), 16)), 0);
}

/// Nearest even; NaN keeps its upper payload, made quiet.
inline uint16x4_t to_bfloat16(float32x4_t values) {
  const uint32x4_t bits = vreinterpretq_u32_f32(values);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint16x4_t rounded = vaddhn_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint16x4_t quiet = vorr_u16(vshrn_n_u32(bits, 16), vdup_n_u16(0x40));
  return vbsl_u16(vmovn_u32(vceqq_f32(values, values)), rounded, quiet);
}

/// Four values rounded to a 16-bit dtype.
template <hb_dtype dtype>
inline uint16x4_t to_halves(float32x4_t values) {
  if constexpr (dtype == HB_FLOAT16) return vreinterpret_u16_f16(vcvt_f16_f32(values));
  return to_bfloat16(values);
}

template <hb_dtype dtype>
inline void store4(void *data, uint64_t at, float32x4_t values) {
  if constexpr (dtype == HB_FLOAT32) vst1q_f32(static_cast<float *>(data) + at, values);
  else vst1_u16(static_cast<uint16_t *>(data) + at, to_halves<dtype>(values));
}

inline void store_one(MutableFloats out, uint64_t at, float value) {
  if (out.dtype == HB_FLOAT32) {
    static_cast<float *>(out.data)[at] = value;
    return;
  }
  const float32x4_t lanes = vdupq_n_f32(value);
  static_cast<uint16_t *>(out.data)[at] =
      vget_lane_u16(out.dtype == HB_FLOAT16 ? to_halves<HB_FLOAT16>(lanes) : to_halves<HB_BFLOAT16>(lanes), 0);
}

// ── Magnitudes ──

/// |value| as an integer: the order of the floats, Infinity and NaN on top.
inline uint32x4_t magnitude_bits(float32x4_t values) { return vreinterpretq_u32_f32(vabsq_f32(values)); }
constexpr uint32_t infinity_bits = 0x7f800000;

inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The largest magnitude of a multiple of 16 values.
template <hb_dtype dtype>
inline uint32_t largest_of(const void *x, uint64_t first, uint64_t count) {
  uint32x4_t m0 = vdupq_n_u32(0), m1 = m0, m2 = m0, m3 = m0;
  for (uint64_t i = first; i < first + count; i += 16) {
    m0 = vmaxq_u32(m0, magnitude_bits(load4<dtype>(x, i)));
    m1 = vmaxq_u32(m1, magnitude_bits(load4<dtype>(x, i + 4)));
    m2 = vmaxq_u32(m2, magnitude_bits(load4<dtype>(x, i + 8)));
    m3 = vmaxq_u32(m3, magnitude_bits(load4<dtype>(x, i + 12)));
  }
  return vmaxvq_u32(vmaxq_u32(vmaxq_u32(m0, m1), vmaxq_u32(m2, m3)));
}

// ── Narrowing ──

/// The low halves of the lanes, in order.
inline uint16x8_t low_halves(uint32x4_t a, uint32x4_t b) { return vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b)); }

/// The lowest bytes of the lanes, in order.
inline uint8x16_t low_bytes(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
  return vuzp1q_u8(vreinterpretq_u8_u16(low_halves(a, b)), vreinterpretq_u8_u16(low_halves(c, d)));
}

// ── A table of sixteen floats ──

/// The 16 codes of eight bytes, high nibble first.
inline uint8x16_t nibbles16(const uint8_t *codes) {
  uint64_t packed;
  memcpy(&packed, codes, sizeof packed);
  const uint8x16_t twice = vreinterpretq_u8_u64(vdupq_n_u64(packed));
  return vzip1q_u8(vshrq_n_u8(twice, 4), vandq_u8(twice, vdupq_n_u8(15)));
}

/// Four planes of bytes: one tbl of each looks up 16 codes, zips join the bytes to floats.
struct Table16 {
  uint8x16_t plane0, plane1, plane2, plane3;
  explicit Table16(const float *code) {
    const uint8x16x4_t planes = vld4q_u8(reinterpret_cast<const uint8_t *>(code));
    plane0 = planes.val[0], plane1 = planes.val[1], plane2 = planes.val[2], plane3 = planes.val[3];
  }
  /// The floats of 16 indices below 16, in order.
  inline void look_up(uint8x16_t index, float32x4_t &v0, float32x4_t &v1, float32x4_t &v2, float32x4_t &v3) const {
    const uint8x16_t b0 = vqtbl1q_u8(plane0, index), b1 = vqtbl1q_u8(plane1, index);
    const uint8x16_t b2 = vqtbl1q_u8(plane2, index), b3 = vqtbl1q_u8(plane3, index);
    const uint16x8_t low0 = vreinterpretq_u16_u8(vzip1q_u8(b0, b1)), low1 = vreinterpretq_u16_u8(vzip2q_u8(b0, b1));
    const uint16x8_t high0 = vreinterpretq_u16_u8(vzip1q_u8(b2, b3)), high1 = vreinterpretq_u16_u8(vzip2q_u8(b2, b3));
    v0 = vreinterpretq_f32_u16(vzip1q_u16(low0, high0));
    v1 = vreinterpretq_f32_u16(vzip2q_u16(low0, high0));
    v2 = vreinterpretq_f32_u16(vzip1q_u16(low1, high1));
    v3 = vreinterpretq_f32_u16(vzip2q_u16(low1, high1));
  }
  /// The scaled floats of eight bytes.
  inline void decode16(const uint8_t *codes, float32x4_t scale, float *to) const {
    float32x4_t v0, v1, v2, v3;
    look_up(nibbles16(codes), v0, v1, v2, v3);
    vst1q_f32(to, vmulq_f32(v0, scale));
    vst1q_f32(to + 4, vmulq_f32(v1, scale));
    vst1q_f32(to + 8, vmulq_f32(v2, scale));
    vst1q_f32(to + 12, vmulq_f32(v3, scale));
  }
};

// ── Tile product, as in simd_avx512.h ──
//
// Four rows of x by four of the tile. Registers: sum[4][4] 16, weights 4, x 1.

constexpr uint64_t tile_rows = 8;
constexpr uint64_t tile_k = 512;
constexpr uint64_t tile_m = 64;

/// Lane j is the sum of the lanes of s[j].
inline float32x4_t sum_lanes(const float32x4_t (&s)[4]) { return vpaddq_f32(vpaddq_f32(s[0], s[1]), vpaddq_f32(s[2], s[3])); }

/// Adds `rows` rows of x times 4 rows of the tile to total[4·i + j].
template <int rows>
inline void multiply_tile(const float *x, uint64_t k, const float *tile, uint64_t count, float *total) {
  float32x4_t sum[rows][4];
#pragma GCC unroll 16
  for (int i = 0; i < 4 * rows; i++) sum[i / 4][i % 4] = vdupq_n_f32(0);
  const uint64_t whole = count / 4 * 4;
  for (uint64_t at = 0; at < whole; at += 4) {
    const float32x4_t w0 = vld1q_f32(tile + at), w1 = vld1q_f32(tile + tile_k + at);
    const float32x4_t w2 = vld1q_f32(tile + 2 * tile_k + at), w3 = vld1q_f32(tile + 3 * tile_k + at);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
      const float32x4_t value = vld1q_f32(x + uint64_t(i) * k + at);
      sum[i][0] = vfmaq_f32(sum[i][0], value, w0);
      sum[i][1] = vfmaq_f32(sum[i][1], value, w1);
      sum[i][2] = vfmaq_f32(sum[i][2], value, w2);
      sum[i][3] = vfmaq_f32(sum[i][3], value, w3);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) vst1q_f32(total + 4 * i, vaddq_f32(vld1q_f32(total + 4 * i), sum_lanes(sum[i])));
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 4; j++)
      for (uint64_t at = whole; at < count; at++) total[4 * i + j] += x[uint64_t(i) * k + at] * tile[uint64_t(j) * tile_k + at];
}

/// Adds at most 4 of `rows` rows of x times 4 rows of the tile.
inline void multiply_rows(const float *x, uint64_t rows, uint64_t k, const float *tile, uint64_t count, float *total) {
  if (rows >= 4) multiply_tile<4>(x, k, tile, count, total);
  else if (rows == 3) multiply_tile<3>(x, k, tile, count, total);
  else if (rows == 2) multiply_tile<2>(x, k, tile, count, total);
  else multiply_tile<1>(x, k, tile, count, total);
}

/// Rows [begin, end) of a weight whose pieces `decode(row, first, count, to)` writes as f32.
template <typename Decode>
inline void tile_product(const float *x, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out,
                         const Decode &decode) {
  alignas(64) float tile[tile_rows * tile_k];
  // Of tile rows 0…3 and 4…7: four sums for each row of x.
  float total[2][tile_m * 4];
  memset(tile, 0, sizeof tile);
  for (uint64_t first_m = 0; first_m < m; first_m += tile_m) {
    const uint64_t count_m = m - first_m < tile_m ? m - first_m : tile_m;
    for (uint64_t row = begin; row < end; row += tile_rows) {
      const uint64_t rows = end - row < tile_rows ? end - row : tile_rows;
      memset(total, 0, sizeof total);
      for (uint64_t first = 0; first < k; first += tile_k) {
        const uint64_t count = k - first < tile_k ? k - first : tile_k;
        for (uint64_t r = 0; r < rows; r++) decode(row + r, first, count, tile + r * tile_k);
        for (uint64_t i = 0; i < count_m; i += 4) {
          const float *const xs = x + (first_m + i) * k + first;
          for (uint64_t half = 0; half < (rows > 4 ? 2u : 1u); half++)
            multiply_rows(xs, count_m - i, k, tile + half * 4 * tile_k, count, total[half] + 4 * i);
        }
      }
      for (uint64_t i = 0; i < count_m; i++)
        for (uint64_t r = 0; r < rows; r++) {
          const float sum = total[r / 4][4 * i + r % 4];
          store_one(out, (first_m + i) * n + row + r, bias ? sum + bias[row + r] : sum);
        }
    }
  }
}

}  // namespace
}  // namespace hb::neon
