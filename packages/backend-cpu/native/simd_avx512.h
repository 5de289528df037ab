// What the AVX-512 kernels share: loads and stores of every float dtype, tables in registers.
//
// Everything here has internal linkage on purpose. A function the linker may merge (an inline of a common header, a std template)
// would be compiled with AVX-512 in one file and without it in another, and either copy could win.
//
// Instruction sets: F, BW, VL, DQ, VNNI, VBMI, and F16C, FMA. The dispatcher asks for all of them.
#pragma once
#include <immintrin.h>
#include <string.h>

#include "block_reciprocal.h"
#include "avx512.h"

namespace hb::avx512 {
namespace {

/// The first `count` of 16 lanes; all of them from 16 on.
inline __mmask16 first_lanes(uint64_t count) { return count >= 16 ? __mmask16(0xffff) : __mmask16((1u << count) - 1); }

// ── Floats of any dtype ──

template <hb_dtype dtype>
inline __m512 load16(const void *data, uint64_t at) {
  if constexpr (dtype == HB_FLOAT32) return _mm512_loadu_ps(static_cast<const float *>(data) + at);
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(static_cast<const uint16_t *>(data) + at));
  if constexpr (dtype == HB_FLOAT16) return _mm512_cvtph_ps(halves);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/// Lanes outside `lanes` are 0 and their memory is not touched.
template <hb_dtype dtype>
inline __m512 load_lanes(const void *data, uint64_t at, __mmask16 lanes) {
  if constexpr (dtype == HB_FLOAT32) return _mm512_maskz_loadu_ps(lanes, static_cast<const float *>(data) + at);
  const __m256i halves = _mm256_maskz_loadu_epi16(lanes, static_cast<const uint16_t *>(data) + at);
  if constexpr (dtype == HB_FLOAT16) return _mm512_cvtph_ps(halves);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/// Nearest even, subnormals kept: unlike vcvtneps2bf16, which reads them as zero.
inline __m256i to_bfloat16(__m512 values) {
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i upper = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40)));
}

/// Sixteen values rounded to a 16-bit dtype.
template <hb_dtype dtype>
inline __m256i to_halves(__m512 values) {
  if constexpr (dtype == HB_FLOAT16) return _mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return to_bfloat16(values);
}

template <hb_dtype dtype, bool streaming>
inline void store16(void *data, uint64_t at, __m512 values) {
  if constexpr (dtype == HB_FLOAT32) {
    float *const to = static_cast<float *>(data) + at;
    if constexpr (streaming) _mm512_stream_ps(to, values);
    else _mm512_storeu_ps(to, values);
  } else {
    __m256i *const to = reinterpret_cast<__m256i *>(static_cast<uint16_t *>(data) + at);
    if constexpr (streaming) _mm256_stream_si256(to, to_halves<dtype>(values));
    else _mm256_storeu_si256(to, to_halves<dtype>(values));
  }
}

template <hb_dtype dtype>
inline void store_lanes(void *data, uint64_t at, __mmask16 lanes, __m512 values) {
  if constexpr (dtype == HB_FLOAT32) _mm512_mask_storeu_ps(static_cast<float *>(data) + at, lanes, values);
  else _mm256_mask_storeu_epi16(static_cast<uint16_t *>(data) + at, lanes, to_halves<dtype>(values));
}

/// No masked store: AMD runs those of bytes and words in microcode.
inline void store_one(MutableFloats out, uint64_t at, float value) {
  if (out.dtype == HB_FLOAT32) {
    static_cast<float *>(out.data)[at] = value;
    return;
  }
  const __m512 lane = _mm512_set1_ps(value);
  const __m256i half = out.dtype == HB_FLOAT16 ? to_halves<HB_FLOAT16>(lane) : to_halves<HB_BFLOAT16>(lane);
  static_cast<uint16_t *>(out.data)[at] = uint16_t(_mm_extract_epi16(_mm256_castsi256_si128(half), 0));
}

// ── Magnitudes ──

/// |value| as an integer: the same order as the floats', with Infinity and then NaN on top, so that one maximum finds both the
/// absmax and whether anything is not finite.
inline __m512i magnitude_bits(__m512 values) { return _mm512_and_si512(_mm512_castps_si512(values), _mm512_set1_epi32(0x7fffffff)); }
constexpr uint32_t infinity_bits = 0x7f800000;

/// The largest magnitude of a multiple of 32 values, lane by lane.
template <hb_dtype dtype>
inline __m512i largest_of(const void *x, uint64_t first, uint64_t count) {
  __m512i m0 = _mm512_setzero_si512(), m1 = m0;
  for (uint64_t i = first; i < first + count; i += 32) {
    m0 = _mm512_max_epu32(m0, magnitude_bits(load16<dtype>(x, i)));
    m1 = _mm512_max_epu32(m1, magnitude_bits(load16<dtype>(x, i + 16)));
  }
  return _mm512_max_epu32(m0, m1);
}

inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// ── Streaming ──

/// From this many bytes of output on, stores go around the cache: 32 MiB is the last-level cache of one group of cores.
constexpr uint64_t streaming_bytes = uint64_t(32) << 20;
inline bool is_aligned(const void *data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }
inline uint64_t bytes_of(hb_dtype dtype) { return dtype == HB_FLOAT32 ? 4 : 2; }

// ── Tables of floats in registers ──

/// 64, 128 or 256 floats as four planes of bytes: one permutation looks up 64 bytes, unpacking joins the planes to floats. One register per 16 floats;
/// a gather of 64 values takes several times as long.
template <int entries>
struct Planes {
  static constexpr int parts = entries / 64;
  __m512i part[4][parts];
  __m512i by_lane;

  /// Of floats, or of words as long.
  template <typename Entry>
  explicit Planes(const Entry *table) {
    static_assert(sizeof(Entry) == 4, "four planes");
    uint8_t bytes[4][entries];
    for (int i = 0; i < entries; i++) {
      uint32_t bits;
      memcpy(&bits, table + i, sizeof bits);
      for (int plane = 0; plane < 4; plane++) bytes[plane][i] = uint8_t(bits >> (8 * plane));
    }
    for (int plane = 0; plane < 4; plane++)
      for (int p = 0; p < parts; p++) part[plane][p] = _mm512_loadu_si512(bytes[plane] + 64 * p);
    // Unpacking works inside lanes of 128 bits: lane L gets bytes 4L…4L+3 of each quarter, so that vector v holds values 16v…16v+15 in order.
    uint8_t place[64];
    for (int lane = 0; lane < 4; lane++)
      for (int q = 0; q < 4; q++)
        for (int i = 0; i < 4; i++) place[lane * 16 + q * 4 + i] = uint8_t(q * 16 + lane * 4 + i);
    by_lane = _mm512_loadu_si512(place);
  }

  inline __m512i look_up_bytes(int plane, __m512i at, [[maybe_unused]] __mmask64 upper) const {
    if constexpr (parts == 1) return _mm512_permutexvar_epi8(at, part[plane][0]);
    else if constexpr (parts == 2) return _mm512_permutex2var_epi8(part[plane][0], at, part[plane][1]);
    else
      return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(part[plane][0], at, part[plane][1]),
                                    _mm512_permutex2var_epi8(part[plane][parts - 2], at, part[plane][parts - 1]));
  }

  /// The floats of 64 byte indices, in order.
  inline void look_up(__m512i index, __m512 &v0, __m512 &v1, __m512 &v2, __m512 &v3) const {
    const __m512i at = _mm512_permutexvar_epi8(by_lane, index);
    const __mmask64 upper = parts == 4 ? _mm512_movepi8_mask(at) : 0;
    const __m512i p0 = look_up_bytes(0, at, upper), p1 = look_up_bytes(1, at, upper);
    const __m512i p2 = look_up_bytes(2, at, upper), p3 = look_up_bytes(3, at, upper);
    const __m512i low01 = _mm512_unpacklo_epi8(p0, p1), high01 = _mm512_unpackhi_epi8(p0, p1);
    const __m512i low23 = _mm512_unpacklo_epi8(p2, p3), high23 = _mm512_unpackhi_epi8(p2, p3);
    v0 = _mm512_castsi512_ps(_mm512_unpacklo_epi16(low01, low23));
    v1 = _mm512_castsi512_ps(_mm512_unpackhi_epi16(low01, low23));
    v2 = _mm512_castsi512_ps(_mm512_unpacklo_epi16(high01, high23));
    v3 = _mm512_castsi512_ps(_mm512_unpackhi_epi16(high01, high23));
  }
};

/// The lowest bytes of 64 dwords, in order.
struct LowBytes {
  __m512i of_pair, halves;

  LowBytes() {
    uint8_t lowest[64] = {}, joined[64];
    for (int i = 0; i < 32; i++) lowest[i] = uint8_t(i < 16 ? 4 * i : 64 + 4 * (i - 16));
    for (int i = 0; i < 64; i++) joined[i] = uint8_t(i < 32 ? i : 64 + i - 32);
    of_pair = _mm512_loadu_si512(lowest);
    halves = _mm512_loadu_si512(joined);
  }

  inline __m512i of(__m512i a, __m512i b, __m512i c, __m512i d) const {
    return _mm512_permutex2var_epi8(_mm512_permutex2var_epi8(a, of_pair, b), halves, _mm512_permutex2var_epi8(c, of_pair, d));
  }
};

inline __mmask64 join_masks(__mmask16 a, __mmask16 b, __mmask16 c, __mmask16 d) {
  return _mm512_kunpackd(_mm512_kunpackw(d, c), _mm512_kunpackw(b, a));
}

// ── Sums across lanes ──

/// Lane 4·i + j is the sum of the lanes of s[i][j].
inline __m512 sum_lanes(const __m512 (&s)[4][4]) {
  __m512 quads[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512 even = _mm512_add_ps(_mm512_unpacklo_ps(s[i][0], s[i][1]), _mm512_unpackhi_ps(s[i][0], s[i][1]));
    const __m512 odd = _mm512_add_ps(_mm512_unpacklo_ps(s[i][2], s[i][3]), _mm512_unpackhi_ps(s[i][2], s[i][3]));
    quads[i] = _mm512_add_ps(_mm512_shuffle_ps(even, odd, 0x44), _mm512_shuffle_ps(even, odd, 0xee));
  }
  const __m512 upper = _mm512_add_ps(_mm512_shuffle_f32x4(quads[0], quads[1], 0x88), _mm512_shuffle_f32x4(quads[0], quads[1], 0xdd));
  const __m512 lower = _mm512_add_ps(_mm512_shuffle_f32x4(quads[2], quads[3], 0x88), _mm512_shuffle_f32x4(quads[2], quads[3], 0xdd));
  return _mm512_add_ps(_mm512_shuffle_f32x4(upper, lower, 0x88), _mm512_shuffle_f32x4(upper, lower, 0xdd));
}

}  // namespace
}  // namespace hb::avx512
