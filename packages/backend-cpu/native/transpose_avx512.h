// Sixteen vectors of sixteen 32-bit lanes, transposed in registers: four rounds of 16 instructions.
#pragma once
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

/// Lane j of v[i] and lane i of v[j] change places.
[[gnu::always_inline]] inline void transpose16(__m512i (&v)[16]) {
  __m512i t[16];
  // Lanes of 128 bits are first transposed each by itself: quad i / 4, then place i % 4 …
#pragma GCC unroll 4
  for (int q = 0; q < 16; q += 4) {
    const __m512i a = _mm512_unpacklo_epi32(v[q], v[q + 1]), b = _mm512_unpackhi_epi32(v[q], v[q + 1]);
    const __m512i c = _mm512_unpacklo_epi32(v[q + 2], v[q + 3]), d = _mm512_unpackhi_epi32(v[q + 2], v[q + 3]);
    t[q] = _mm512_unpacklo_epi64(a, c);
    t[q + 1] = _mm512_unpackhi_epi64(a, c);
    t[q + 2] = _mm512_unpacklo_epi64(b, d);
    t[q + 3] = _mm512_unpackhi_epi64(b, d);
  }
  // … then the four lanes of each place.
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88), d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
    v[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

}  // namespace
}  // namespace hb::avx512
