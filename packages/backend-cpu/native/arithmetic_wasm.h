// Packed products in WebAssembly: what registers hold at each accuracy, see arithmetic_avx512.h. 16 bytes of a panel are 4 rows with 8 codes each. Looking
// up their bytes and joining the bytes of a value leaves several columns of a row side by side, and other rows in other registers, so that weights and
// sums are of more than one register; the columns of a row meet when a piece ends. A step is the four even columns, then the four odd ones.
#pragma once
#include "packed_product.h"
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

struct Panel128 {
  static constexpr int width = 4, steps = 2;
  static constexpr bool corrected = false, tiled = false;
  using Vector = v128_t;
  using Codes = v128_t;
  static Codes load_codes(const uint8_t *codes) { return wasm_v128_load(codes); }
  static v128_t nibbles(Codes codes, int step) { return step == 0 ? even_codes(codes) : odd_codes(codes); }

  static Vector absmax(const float *own, const float *next, uint64_t behind) {
    const v128_t bits = wasm_v128_and(wasm_i32x4_splat(int32_t(behind)), wasm_i32x4_const(1, 2, 4, 8));
    return wasm_v128_bitselect(wasm_v128_load(own), wasm_v128_load(next), wasm_i32x4_eq(bits, wasm_i32x4_const_splat(0)));
  }

  static void store(const float *values, uint64_t count, MutableFloats out, uint64_t at) {
    for (size_t i = 0; i < count; i++) store_one(out, size_t(at) + i, values[i]);
  }
};

// f32: of each of 4 rows, 4 columns in a register.
struct Exact : Panel128 {
  using Weight = Table16::Values;
  using Sum = Table16::Values;
  static constexpr bool scaled = false;
  static constexpr int most_rows = 2;
  static constexpr RegisterShape shape(int) { return {1, 1}; }
  static constexpr int unit_bytes = 16, group_bytes = 32;
  using Order = ValueOrder<float, 0, 2, 4, 6, 1, 3, 5, 7, 4>;

  Table16 table;
  Exact(const float *code, const void *) : table(code) {}

  static Sum zero() { return {wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0)}; }
  static Sum start(const int32_t *, int) { return zero(); }
  static v128_t broadcast(const char *values) { return wasm_v128_load(values); }
  Weight decode(Codes codes, int step) const { return table(nibbles(codes, step)); }
  static Sum multiply_add(const Sum &s, const Weight &w, v128_t x) {
    return {wasm::multiply_add(w.v0, x, s.v0), wasm::multiply_add(w.v1, x, s.v1), wasm::multiply_add(w.v2, x, s.v2), wasm::multiply_add(w.v3, x, s.v3)};
  }
  static Sum join(const Sum &a, const Sum &) { return a; }
  static int row_scale(const float *, int) { return 0; }
  static void accumulate(float *total, const Sum &s, int, Vector scale) {
    const v128_t p = meet(s.v0, s.v1), q = meet(s.v2, s.v3);
    const v128_t sums = wasm_f32x4_add(wasm_i32x4_shuffle(p, q, 0, 1, 4, 5), wasm_i32x4_shuffle(p, q, 2, 3, 6, 7));
    wasm_v128_store(total, wasm::multiply_add(sums, scale, wasm_v128_load(total)));
  }

 private:
  static v128_t meet(v128_t a, v128_t b) { return wasm_f32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 2, 6), wasm_i32x4_shuffle(a, b, 1, 5, 3, 7)); }
};

// int16: of each of 2 rows, 4 columns in a register, whose products i32x4.dot_i16x8_s adds in pairs.
struct Fast : Panel128 {
  struct Pair {
    v128_t low, high;
  };
  using Weight = Pair;
  using Sum = Pair;
  static constexpr bool scaled = true;
  static constexpr int most_rows = 2;
  static constexpr RegisterShape shape(int rows) { return {rows == 1 ? 4 : 2, 1}; }
  static constexpr int unit_bytes = 8, group_bytes = 16;
  using Order = ValueOrder<int16_t, 0, 2, 4, 6, 1, 3, 5, 7, 4>;

  v128_t low_plane, high_plane;
  Fast(const float *, const void *prepared) {
    const int32_t *const entry = static_cast<const IntegerCode *>(prepared)->entry;
    uint8_t low[16], high[16];
    for (int i = 0; i < 16; i++) low[i] = uint8_t(entry[i]), high[i] = uint8_t(uint32_t(entry[i]) >> 8);
    low_plane = wasm_v128_load(low), high_plane = wasm_v128_load(high);
  }

  static Sum zero() { return {wasm_i32x4_const_splat(0), wasm_i32x4_const_splat(0)}; }
  static Sum start(const int32_t *, int) { return zero(); }
  static v128_t broadcast(const char *values) { return wasm_v128_load64_splat(values); }
  Weight decode(Codes codes, int step) const {
    const v128_t index = nibbles(codes, step), low = lookup(low_plane, index), high = lookup(high_plane, index);
    return {low_bytes(low, high), high_bytes(low, high)};
  }
  static Sum multiply_add(const Sum &s, const Weight &w, v128_t x) {
    return {wasm_i32x4_add(s.low, wasm_i32x4_dot_i16x8(w.low, x)), wasm_i32x4_add(s.high, wasm_i32x4_dot_i16x8(w.high, x))};
  }
  static Sum join(const Sum &a, const Sum &) { return a; }
  static v128_t row_scale(const float *scales, int row) { return wasm_v128_load32_splat(scales + row); }
  static void accumulate(float *total, const Sum &s, v128_t row_scale, Vector scale) {
    const v128_t sums = wasm_i32x4_add(wasm_i32x4_shuffle(s.low, s.high, 0, 2, 4, 6), wasm_i32x4_shuffle(s.low, s.high, 1, 3, 5, 7));
    const v128_t scaled = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), row_scale);
    wasm_v128_store(total, wasm::multiply_add(scaled, scale, wasm_v128_load(total)));
  }
};

}  // namespace
}  // namespace hb::wasm
