// 4-bit codes to floats. f32: sixteen values by four lookups (Table16), times absmax. 16-bit dtypes: the table times absmax is rounded once per block
// and split into planes of low and high bytes, two lookups for sixteen values. Registers: planes 4, values 4, nibbles 2.
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

inline void store_scaled(float *to, const Table16::Values &values, v128_t scale) {
  wasm_v128_store(to, wasm_f32x4_mul(values.v0, scale));
  wasm_v128_store(to + 4, wasm_f32x4_mul(values.v1, scale));
  wasm_v128_store(to + 8, wasm_f32x4_mul(values.v2, scale));
  wasm_v128_store(to + 12, wasm_f32x4_mul(values.v3, scale));
}

void to_float32(const uint8_t *codes, const float *absmax, const float *code, size_t block_size, size_t begin, size_t end, float *out) {
  const Table16 table(code);
  for (size_t block = begin; block < end; block++) {
    const v128_t scale = wasm_v128_load32_splat(absmax + block);
    for (size_t i = block * block_size; i < (block + 1) * block_size; i += 32) {
      const v128_t packed = wasm_v128_load(codes + i / 2), even = even_codes(packed), odd = odd_codes(packed);
      store_scaled(out + i, table(low_bytes(even, odd)), scale);
      store_scaled(out + i + 16, table(high_bytes(even, odd)), scale);
    }
  }
}

/// The table times absmax, rounded, as planes.
template <hb_dtype dtype>
struct HalfTable {
  v128_t low, high;
  HalfTable(const float *code, float absmax) {
    const v128_t scale = wasm_f32x4_splat(absmax);
    v128_t values[4];
    for (int i = 0; i < 4; i++) values[i] = wasm_f32x4_mul(wasm_v128_load(code + 4 * i), scale);
    const v128_t words0 = to_halves<dtype>(values[0], values[1]), words1 = to_halves<dtype>(values[2], values[3]);
    low = wasm_i8x16_shuffle(words0, words1, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    high = wasm_i8x16_shuffle(words0, words1, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  }
  inline void store16(uint16_t *to, v128_t codes) const {
    const v128_t l = lookup(low, codes), h = lookup(high, codes);
    wasm_v128_store(to, low_bytes(l, h));
    wasm_v128_store(to + 8, high_bytes(l, h));
  }
};

template <hb_dtype dtype>
void to_16_bits(const uint8_t *codes, const float *absmax, const float *code, size_t block_size, size_t begin, size_t end, uint16_t *out) {
  for (size_t block = begin; block < end; block++) {
    const HalfTable<dtype> table(code, absmax[block]);
    for (size_t i = block * block_size; i < (block + 1) * block_size; i += 32) {
      const v128_t packed = wasm_v128_load(codes + i / 2), even = even_codes(packed), odd = odd_codes(packed);
      table.store16(out + i, low_bytes(even, odd));
      table.store16(out + i + 16, high_bytes(even, odd));
    }
  }
}

}  // namespace

void dequantize_4bit(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size, uint64_t begin, uint64_t end,
                     MutableFloats out) {
  const uint64_t full = block_size % 32 == 0 ? size / block_size : 0;
  const uint64_t split = end < full ? end : full;
  if (begin < split) {
    const size_t first = size_t(begin), last = size_t(split);
    if (out.dtype == HB_FLOAT32) to_float32(codes, absmax, code, block_size, first, last, static_cast<float *>(out.data));
    else if (out.dtype == HB_FLOAT16) to_16_bits<HB_FLOAT16>(codes, absmax, code, block_size, first, last, static_cast<uint16_t *>(out.data));
    else to_16_bits<HB_BFLOAT16>(codes, absmax, code, block_size, first, last, static_cast<uint16_t *>(out.data));
  }
  const uint64_t rest = begin < split ? split : begin;
  if (rest < end) scalar_kernels.dequantize_4bit(codes, absmax, code, size, block_size, rest, end, out);
}

}  // namespace hb::wasm
