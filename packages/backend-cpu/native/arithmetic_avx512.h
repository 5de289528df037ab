// Packed products in AVX-512: what a register holds at each accuracy. 16 rows of a panel are one register of dwords with 8 codes each.
//
// Codes need no masks: a permutation reads 4, 5 or 6 bits of an index, and tables of 32 words and 64 bytes hold the 16 entries twice and four times.
#pragma once
#include "packed_product.h"
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

struct Panel512 {
  static constexpr int width = 16;
  using Vector = __m512;
  using Codes = __m512i;
  static Codes load_codes(const uint8_t *codes) { return _mm512_loadu_si512(codes); }
  // Decoding is so cheap that doing it once for many rows gains nothing.
  static constexpr bool tiled = false;
  static constexpr int most_rows = 12;
  static Vector absmax(const float *own, const float *next, uint64_t behind) { return _mm512_mask_loadu_ps(_mm512_loadu_ps(own), __mmask16(behind), next); }

  static void store(const float *values, uint64_t count, MutableFloats out, uint64_t at) {
    if (out.dtype == HB_FLOAT32) store_as<HB_FLOAT32>(values, count, out, at);
    else if (out.dtype == HB_FLOAT16) store_as<HB_FLOAT16>(values, count, out, at);
    else store_as<HB_BFLOAT16>(values, count, out, at);
  }

 private:
  template <hb_dtype dtype>
  static void store_as(const float *values, uint64_t count, MutableFloats out, uint64_t at) {
    uint64_t i = 0;
    for (; i + width <= count; i += width) store16<dtype, false>(out.data, at + i, _mm512_load_ps(values + i));
    for (; i < count; i++) store_one(out, at + i, values[i]);
  }
};

// f32: vpermps and FMA.
struct Exact : Panel512 {
  using Weight = __m512;
  using Sum = __m512;
  static constexpr bool scaled = false, corrected = false;
  static constexpr RegisterShape shape(int rows) { return rows <= 4 ? RegisterShape{4, rows <= 2 ? 2 : 1} : RegisterShape{2, 1}; }
  static constexpr int steps = 8, unit_bytes = 4, group_bytes = 32;
  using Order = ValueOrder<float, 1, 0, 3, 2, 5, 4, 7, 6, 1>;

  __m512 table;
  Exact(const float *code, const void *) : table(_mm512_loadu_ps(code)) {}

  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m512 broadcast(const char *value) { return _mm512_set1_ps(*reinterpret_cast<const float *>(value)); }
  Weight decode(Codes codes, int step) const { return _mm512_permutexvar_ps(step == 0 ? codes : _mm512_srli_epi32(codes, unsigned(4 * step)), table); }
  static Sum multiply_add(Sum sum, Weight weight, __m512 value) { return _mm512_fmadd_ps(weight, value, sum); }
  static Sum join(Sum a, Sum b) { return _mm512_add_ps(a, b); }
  static int row_scale(const float *, int) { return 0; }
  static void accumulate(float *total, Sum sum, int, Vector scale) {
    _mm512_store_ps(total, _mm512_fmadd_ps(sum, scale, _mm512_load_ps(total)));
  }
};

// int16: vpermw and vpdpwssd, two columns 4 apart at once.
struct Fast : Panel512 {
  using Weight = __m512i;
  using Sum = __m512i;
  static constexpr bool scaled = true, corrected = false;
  static constexpr RegisterShape shape(int rows) { return rows <= 4 ? RegisterShape{4, rows <= 2 ? 2 : 1} : RegisterShape{2, 1}; }
  static constexpr int steps = 4, unit_bytes = 4, group_bytes = 16;
  using Order = ValueOrder<int16_t, 1, 5, 0, 4, 3, 7, 2, 6, 2>;

  __m512i table;
  Fast(const float *, const void *prepared)
      : table(_mm512_broadcast_i64x4(_mm512_cvtepi32_epi16(_mm512_loadu_si512(static_cast<const IntegerCode *>(prepared)->entry)))) {}

  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m512i broadcast(const char *value) { return _mm512_set1_epi32(*reinterpret_cast<const int32_t *>(value)); }
  Weight decode(Codes codes, int step) const { return _mm512_permutexvar_epi16(step == 0 ? codes : _mm512_srli_epi16(codes, unsigned(4 * step)), table); }
  // By name: clang takes the intrinsic apart into vpmaddwd and vpaddd, which have a shorter latency and half the throughput; GCC spills around it.
  static Sum multiply_add(Sum sum, Weight weight, __m512i value) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(weight), "v"(value));
    return sum;
  }
  static Sum join(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
  static __m512 row_scale(const float *scales, int row) { return _mm512_set1_ps(scales[row]); }
  static void accumulate(float *total, Sum sum, __m512 row_scale, Vector scale) {
    _mm512_store_ps(total, _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), row_scale), scale, _mm512_load_ps(total)));
  }
};

// int8: vpermb and vpdpbusd, four columns 2 apart at once. The instruction wants one operand without sign, so entries are 128 too large, and a sum
// begins with what that adds.
struct Turbo : Fast {
  static constexpr bool corrected = true;
  static constexpr int steps = 2, group_bytes = 8;
  using Order = ValueOrder<int8_t, 1, 3, 5, 7, 0, 2, 4, 6, 4>;

  Turbo(const float *code, const void *prepared) : Fast(code, prepared) {
    const __m512i entries = _mm512_add_epi32(_mm512_loadu_si512(static_cast<const IntegerCode *>(prepared)->entry), _mm512_set1_epi32(128));
    table = _mm512_broadcast_i32x4(_mm512_cvtepi32_epi8(entries));
  }

  static Sum start(const int32_t *sums, int row) { return _mm512_set1_epi32(-128 * sums[row]); }
  Weight decode(Codes codes, int step) const { return _mm512_permutexvar_epi8(step == 0 ? codes : _mm512_srli_epi16(codes, 4), table); }
  static Sum multiply_add(Sum sum, Weight weight, __m512i value) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weight), "v"(value));
    return sum;
  }
};

/// run(PackedProduct) of the arithmetic for `m` rows of x.
template <class Run>
auto with_product(hb_accuracy accuracy, uint64_t, const Run &run) {
  if (accuracy == HB_EXACT) return run(PackedProduct<Exact>{});
  if (accuracy == HB_FAST) return run(PackedProduct<Fast>{});
  return run(PackedProduct<Turbo>{});
}

}  // namespace
}  // namespace hb::avx512
