// Packed products in AVX2: what a register holds at each accuracy. 8 rows of a panel are one register of dwords with 8 codes each.
//
// A table is looked up byte by byte of its entries: one pshufb gives one byte for 32 codes, unpacking joins the bytes. So the four columns in the low
// nibbles of a row's bytes, or in the high ones, come out side by side, and a sum has several lanes per row, which are added when a piece is over.
#pragma once
#include "packed_product.h"
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

struct Panel256 {
  static constexpr int width = 8;
  using Vector = __m256;
  using Codes = __m256i;

  static Codes load_codes(const uint8_t *codes) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(codes)); }
  static __m256i nibbles(Codes codes, int step) {
    return _mm256_and_si256(step == 0 ? codes : _mm256_srli_epi16(codes, 4), _mm256_set1_epi8(15));
  }
  static Vector absmax(const float *own, const float *next, uint64_t behind) {
    if ((behind & 0xff) == 0) return _mm256_loadu_ps(own);
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i is_behind = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(int(behind)), bit), bit);
    return _mm256_blendv_ps(_mm256_loadu_ps(own), _mm256_loadu_ps(next), _mm256_castsi256_ps(is_behind));
  }
  static Vector load_vector(const float *from) { return _mm256_load_ps(from); }
  static void store_vector(float *to, Vector v) { _mm256_store_ps(to, v); }

  static void store(const float *values, uint64_t count, MutableFloats out, uint64_t at) {
    if (out.dtype == HB_FLOAT32) store_as<HB_FLOAT32>(values, count, out, at);
    else if (out.dtype == HB_FLOAT16) store_as<HB_FLOAT16>(values, count, out, at);
    else store_as<HB_BFLOAT16>(values, count, out, at);
  }

 private:
  template <hb_dtype dtype>
  static void store_as(const float *values, uint64_t count, MutableFloats out, uint64_t at) {
    uint64_t i = 0;
    for (; i + width <= count; i += width) store8<dtype, false>(out.data, at + i, _mm256_load_ps(values + i));
    for (; i < count; i++) store_one(out, at + i, values[i]);
  }
};

/// Byte `plane` of each of 16 entries, in both halves of a register.
template <class Entry>
inline __m256i byte_plane(const Entry *entries, int plane) {
  uint8_t bytes[16];
  for (int i = 0; i < 16; i++) memcpy(bytes + i, reinterpret_cast<const uint8_t *>(entries + i) + plane, 1);
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes)));
}

// f32 and FMA. A register of weights is four columns of row r and of row r + 4.
struct Exact : Panel256 {
  static constexpr bool scaled = false, corrected = false;
  static constexpr int steps = 2, unit_bytes = 16, group_bytes = 32;
  using Order = ValueOrder<float, 1, 3, 5, 7, 0, 2, 4, 6, 4>;
  struct Four {
    __m256 v0, v1, v2, v3;
  };
  using Weight = Four;
  using Sum = Four;
  static constexpr bool tiled = false;
  static constexpr int most_rows = 2;
  static constexpr RegisterShape shape(int) { return {1, 1}; }

  __m256i plane0, plane1, plane2, plane3;
  Exact(const float *code, const void *)
      : plane0(byte_plane(code, 0)), plane1(byte_plane(code, 1)), plane2(byte_plane(code, 2)), plane3(byte_plane(code, 3)) {}

  static Sum zero() {
    const __m256 z = _mm256_setzero_ps();
    return {z, z, z, z};
  }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m256 broadcast(const char *value) { return _mm256_broadcast_ps(reinterpret_cast<const __m128 *>(value)); }
  Weight decode(Codes codes, int step) const {
    const __m256i index = nibbles(codes, step);
    const __m256i p0 = _mm256_shuffle_epi8(plane0, index), p1 = _mm256_shuffle_epi8(plane1, index);
    const __m256i p2 = _mm256_shuffle_epi8(plane2, index), p3 = _mm256_shuffle_epi8(plane3, index);
    const __m256i low01 = _mm256_unpacklo_epi8(p0, p1), high01 = _mm256_unpackhi_epi8(p0, p1);
    const __m256i low23 = _mm256_unpacklo_epi8(p2, p3), high23 = _mm256_unpackhi_epi8(p2, p3);
    return {_mm256_castsi256_ps(_mm256_unpacklo_epi16(low01, low23)), _mm256_castsi256_ps(_mm256_unpackhi_epi16(low01, low23)),
            _mm256_castsi256_ps(_mm256_unpacklo_epi16(high01, high23)), _mm256_castsi256_ps(_mm256_unpackhi_epi16(high01, high23))};
  }
  static Sum multiply_add(const Sum &sum, const Weight &weight, __m256 value) {
    return {_mm256_fmadd_ps(weight.v0, value, sum.v0), _mm256_fmadd_ps(weight.v1, value, sum.v1), _mm256_fmadd_ps(weight.v2, value, sum.v2),
            _mm256_fmadd_ps(weight.v3, value, sum.v3)};
  }
  static Sum join(const Sum &a, const Sum &b) {
    return {_mm256_add_ps(a.v0, b.v0), _mm256_add_ps(a.v1, b.v1), _mm256_add_ps(a.v2, b.v2), _mm256_add_ps(a.v3, b.v3)};
  }
  static int row_scale(const float *, int) { return 0; }
  static void accumulate(float *total, const Sum &sum, int, Vector scale) {
    const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(sum.v0, sum.v1), _mm256_hadd_ps(sum.v2, sum.v3));
    _mm256_store_ps(total, _mm256_fmadd_ps(all, scale, _mm256_load_ps(total)));
  }
};

// int16 and pmaddwd. A register of weights is four columns of rows r, r + 1, r + 4 and r + 5: two lanes of sums each.
struct Fast : Panel256 {
  static constexpr bool scaled = true, corrected = false;
  static constexpr int steps = 2, unit_bytes = 8, group_bytes = 16;
  using Order = ValueOrder<int16_t, 1, 3, 5, 7, 0, 2, 4, 6, 4>;
  struct Two {
    __m256i low, high;
  };
  using Weight = Two;
  using Sum = Two;
  static constexpr bool tiled = false;
  static constexpr int most_rows = 2;
  static constexpr RegisterShape shape(int rows) { return {rows == 1 ? 2 : 1, 1}; }

  __m256i plane0, plane1;
  Fast(const float *, const void *prepared)
      : plane0(byte_plane(static_cast<const IntegerCode *>(prepared)->entry, 0)), plane1(byte_plane(static_cast<const IntegerCode *>(prepared)->entry, 1)) {}

  static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m256i broadcast(const char *value) {
    int64_t four;
    memcpy(&four, value, sizeof four);
    return _mm256_set1_epi64x(four);
  }
  Weight decode(Codes codes, int step) const {
    const __m256i index = nibbles(codes, step);
    const __m256i p0 = _mm256_shuffle_epi8(plane0, index), p1 = _mm256_shuffle_epi8(plane1, index);
    return {_mm256_unpacklo_epi8(p0, p1), _mm256_unpackhi_epi8(p0, p1)};
  }
  static Sum multiply_add(const Sum &sum, const Weight &weight, __m256i value) {
    return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(weight.low, value)), _mm256_add_epi32(sum.high, _mm256_madd_epi16(weight.high, value))};
  }
  static Sum join(const Sum &a, const Sum &b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
  static __m256 row_scale(const float *scales, int row) { return _mm256_broadcast_ss(scales + row); }
  static void accumulate(float *total, const Sum &sum, __m256 row_scale, Vector scale) {
    const __m256 all = _mm256_cvtepi32_ps(_mm256_hadd_epi32(sum.low, sum.high));
    _mm256_store_ps(total, _mm256_fmadd_ps(_mm256_mul_ps(all, row_scale), scale, _mm256_load_ps(total)));
  }
};

// ── For many rows of x: a lane per row of the panel, no additions across lanes ──

// f32 and FMA. Half a table is one vpermps; bit 3 of an index, moved to the sign, chooses.
struct ExactTiled : Panel256 {
  static constexpr bool scaled = false, corrected = false, tiled = true;
  static constexpr int steps = 8, unit_bytes = 4, group_bytes = 32, most_rows = 6;
  static constexpr RegisterShape shape(int) { return {2, 1}; }
  using Order = ValueOrder<float, 1, 0, 3, 2, 5, 4, 7, 6, 1>;
  using Weight = __m256;
  using Sum = __m256;

  Table16 table;
  ExactTiled(const float *code, const void *) : table(code) {}

  static Sum zero() { return _mm256_setzero_ps(); }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m256 broadcast(const char *value) { return _mm256_broadcast_ss(reinterpret_cast<const float *>(value)); }
  Weight decode(Codes codes, int step) const { return table.look_up(_mm256_srli_epi32(codes, 4 * step)); }
  static Sum multiply_add(Sum sum, Weight weight, __m256 value) { return _mm256_fmadd_ps(weight, value, sum); }
  static Sum join(Sum a, Sum b) { return _mm256_add_ps(a, b); }
  static int row_scale(const float *, int) { return 0; }
  static void accumulate(float *total, Sum sum, int, Vector scale) { _mm256_store_ps(total, _mm256_fmadd_ps(sum, scale, _mm256_load_ps(total))); }
};

// int16 and pmaddwd: two columns 2 apart in each lane.
struct FastTiled : Fast {
  static constexpr bool tiled = true;
  static constexpr int steps = 4, unit_bytes = 4, most_rows = 6;
  static constexpr RegisterShape shape(int) { return {2, 1}; }
  using Order = ValueOrder<int16_t, 1, 3, 5, 7, 0, 2, 4, 6, 2>;
  using Weight = __m256i;
  using Sum = __m256i;
  using Fast::Fast;

  static Sum zero() { return _mm256_setzero_si256(); }
  static Sum start(const int32_t *, int) { return zero(); }
  static __m256i broadcast(const char *value) { return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float *>(value))); }
  Weight decode(Codes codes, int step) const {
    const Two four = Fast::decode(codes, step / 2);
    const __m256 low = _mm256_castsi256_ps(four.low), high = _mm256_castsi256_ps(four.high);
    return _mm256_castps_si256(step % 2 == 0 ? _mm256_shuffle_ps(low, high, 0x88) : _mm256_shuffle_ps(low, high, 0xdd));
  }
  static Sum multiply_add(Sum sum, Weight weight, __m256i value) { return _mm256_add_epi32(sum, _mm256_madd_epi16(weight, value)); }
  static Sum join(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
  static void accumulate(float *total, Sum sum, __m256 row_scale, Vector scale) {
    _mm256_store_ps(total, _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), row_scale), scale, _mm256_load_ps(total)));
  }
};

/// run(PackedProduct) of the arithmetic for `m` rows of x.
template <class Run>
auto with_product(hb_accuracy accuracy, uint64_t m, const Run &run) {
  const bool few = m <= 2;
  if (accuracy == HB_EXACT) return few ? run(PackedProduct<Exact>{}) : run(PackedProduct<ExactTiled>{});
  return few ? run(PackedProduct<Fast>{}) : run(PackedProduct<FastTiled>{});
}

}  // namespace
}  // namespace hb::avx2
