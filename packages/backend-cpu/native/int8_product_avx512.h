// The integer product of a panel of packed_int8.h: up to 6 rows of a by 64 rows of b, whose sums stay in registers.
//
// vpdpbusd: b + 128 is the unsigned side; every sum starts at −128·Σa. Both wrap like the int32 they are, so the result is exact.
// Registers: sums 24, b 4, a 1.
#pragma once
#include "packed_int8.h"
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

constexpr uint64_t most_rows = 6;

inline __mmask64 first_bytes(uint64_t count) { return count >= 64 ? ~__mmask64(0) : (__mmask64(1) << count) - 1; }

/// −128·Σa of a row.
inline int32_t start_of(const int8_t *a, uint64_t count) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  for (uint64_t at = 0; at < count; at += 64)
    sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi8(first_bytes(count - at), a + at));
  return -int32_t(uint32_t(_mm512_reduce_add_epi32(sum)) << 7);
}

/// Up to 4 columns of a row of a, the missing ones 0, in every lane.
inline __m512i columns_of(const int8_t *a, uint64_t count) {
  int32_t columns = 0;
  memcpy(&columns, a, count < 4 ? count : 4);
  return _mm512_set1_epi32(columns);
}

/// The sums of one row of a with up to 64 rows of b.
template <int vectors>
struct RowSums {
  __m512i s0, s1, s2, s3;

  inline void add(__m512i a, __m512i b0, __m512i b1, __m512i b2, __m512i b3) {
    s0 = _mm512_dpbusd_epi32(s0, b0, a);
    if constexpr (vectors > 1) s1 = _mm512_dpbusd_epi32(s1, b1, a);
    if constexpr (vectors > 2) s2 = _mm512_dpbusd_epi32(s2, b2, a);
    if constexpr (vectors > 3) s3 = _mm512_dpbusd_epi32(s3, b3, a);
    // GCC 12 keeps sums in memory unless told that they are in registers here.
    asm("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3));
  }
};

/// What all passes of a panel have in common: the sums, kept in `out` in between, and lanes of its last 16 rows.
struct Sums {
  int32_t *out;
  uint64_t stride;
  __mmask16 last_lanes;

  template <int vectors>
  inline RowSums<vectors> load(uint64_t row, bool is_first, int32_t start) const {
    RowSums<vectors> sums;
    sums.s0 = sums.s1 = sums.s2 = sums.s3 = _mm512_set1_epi32(start);
    if (is_first) return sums;
    const int32_t *const from = out + row * stride;
    sums.s0 = _mm512_maskz_loadu_epi32(vectors == 1 ? last_lanes : 0xffff, from);
    if constexpr (vectors > 1) sums.s1 = _mm512_maskz_loadu_epi32(vectors == 2 ? last_lanes : 0xffff, from + 16);
    if constexpr (vectors > 2) sums.s2 = _mm512_maskz_loadu_epi32(vectors == 3 ? last_lanes : 0xffff, from + 32);
    if constexpr (vectors > 3) sums.s3 = _mm512_maskz_loadu_epi32(last_lanes, from + 48);
    return sums;
  }

  template <int vectors>
  inline void store(uint64_t row, const RowSums<vectors> &sums) const {
    int32_t *const to = out + row * stride;
    _mm512_mask_storeu_epi32(to, vectors == 1 ? last_lanes : 0xffff, sums.s0);
    if constexpr (vectors > 1) _mm512_mask_storeu_epi32(to + 16, vectors == 2 ? last_lanes : 0xffff, sums.s1);
    if constexpr (vectors > 2) _mm512_mask_storeu_epi32(to + 32, vectors == 3 ? last_lanes : 0xffff, sums.s2);
    if constexpr (vectors > 3) _mm512_mask_storeu_epi32(to + 48, last_lanes, sums.s3);
  }
};

/// Columns of a row of a and of a panel: `count` of them, k of a row in memory.
struct Operands {
  const int8_t *a;
  uint64_t k;
  const uint8_t *b;
  uint64_t count;
};

/// Four columns of the panel times `rows` rows of a.
template <int rows, int vectors>
[[gnu::always_inline]] inline void multiply_group(const uint8_t *b, const int8_t *a, uint64_t k, uint64_t count, RowSums<vectors> &r0,
                                                  RowSums<vectors> &r1, RowSums<vectors> &r2, RowSums<vectors> &r3, RowSums<vectors> &r4,
                                                  RowSums<vectors> &r5) {
  const __m512i b0 = _mm512_loadu_si512(b), b1 = vectors > 1 ? _mm512_loadu_si512(b + 64) : b0, b2 = vectors > 2 ? _mm512_loadu_si512(b + 128) : b0,
                b3 = vectors > 3 ? _mm512_loadu_si512(b + 192) : b0;
  r0.add(columns_of(a, count), b0, b1, b2, b3);
  if constexpr (rows > 1) r1.add(columns_of(a + k, count), b0, b1, b2, b3);
  if constexpr (rows > 2) r2.add(columns_of(a + 2 * k, count), b0, b1, b2, b3);
  if constexpr (rows > 3) r3.add(columns_of(a + 3 * k, count), b0, b1, b2, b3);
  if constexpr (rows > 4) r4.add(columns_of(a + 4 * k, count), b0, b1, b2, b3);
  if constexpr (rows > 5) r5.add(columns_of(a + 5 * k, count), b0, b1, b2, b3);
}

/// Adds `rows` rows of a from `row` on times the panel. `starts` on the first pass.
template <int rows, int vectors>
void multiply(const Operands &from, uint64_t row, const Sums &sums, const int32_t *starts, bool is_first) {
  const auto load = [&](uint64_t i) { return sums.load<vectors>(row + i, is_first, starts[row + (i < rows ? i : 0)]); };
  const int8_t *a = from.a + row * from.k;
  RowSums<vectors> r0 = load(0), r1, r2, r3, r4, r5;
  if constexpr (rows > 1) r1 = load(1);
  if constexpr (rows > 2) r2 = load(2);
  if constexpr (rows > 3) r3 = load(3);
  if constexpr (rows > 4) r4 = load(4);
  if constexpr (rows > 5) r5 = load(5);
  constexpr uint64_t step_bytes = 64 * uint64_t(vectors);
  const uint8_t *b = from.b;
  const int8_t *const last = a + from.count / 4 * 4;
  for (; a < last; a += 4, b += step_bytes) {
    // One pass over a panel is a stream that ends before the hardware trusts it.
    if constexpr (rows <= 2) {
      for (uint64_t line = 0; line < step_bytes; line += 64) _mm_prefetch(reinterpret_cast<const char *>(b + 4096 + line), _MM_HINT_T0);
    }
    multiply_group<rows, vectors>(b, a, from.k, 4, r0, r1, r2, r3, r4, r5);
  }
  if (from.count % 4 > 0) multiply_group<rows, vectors>(b, a, from.k, from.count % 4, r0, r1, r2, r3, r4, r5);
  sums.store(row, r0);
  if constexpr (rows > 1) sums.store(row + 1, r1);
  if constexpr (rows > 2) sums.store(row + 2, r2);
  if constexpr (rows > 3) sums.store(row + 3, r3);
  if constexpr (rows > 4) sums.store(row + 4, r4);
  if constexpr (rows > 5) sums.store(row + 5, r5);
}

/// `m` rows of a in even groups of up to 6.
template <int vectors>
void multiply_rows(const Operands &from, uint64_t m, const Sums &sums, const int32_t *starts, bool is_first) {
  const uint64_t turns = (m + most_rows - 1) / most_rows;
  for (uint64_t turn = 0, row = 0; turn < turns; turn++) {
    const uint64_t until = m * (turn + 1) / turns;
    switch (until - row) {
      case 6: multiply<6, vectors>(from, row, sums, starts, is_first); break;
      case 5: multiply<5, vectors>(from, row, sums, starts, is_first); break;
      case 4: multiply<4, vectors>(from, row, sums, starts, is_first); break;
      case 3: multiply<3, vectors>(from, row, sums, starts, is_first); break;
      case 2: multiply<2, vectors>(from, row, sums, starts, is_first); break;
      default: multiply<1, vectors>(from, row, sums, starts, is_first);
    }
    row = until;
  }
}

/// One pass over a panel of `width` rows.
inline void multiply_panel(const Operands &from, uint64_t width, uint64_t m, const Sums &sums, const int32_t *starts, bool is_first) {
  switch (width / 16) {
    case 4: return multiply_rows<4>(from, m, sums, starts, is_first);
    case 3: return multiply_rows<3>(from, m, sums, starts, is_first);
    case 2: return multiply_rows<2>(from, m, sums, starts, is_first);
    default: return multiply_rows<1>(from, m, sums, starts, is_first);
  }
}

}  // namespace
}  // namespace hb::avx512
