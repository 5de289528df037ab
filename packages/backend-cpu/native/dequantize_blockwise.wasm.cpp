// 8-bit codes to floats: fr(code · absmax), plus an offset. The table of 1 KiB lies in the nearest cache; values are fetched one by one and multiplied
// four at a time. Registers: values 2, scale 1, offset 1.
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

inline v128_t fetch4(const float *code, const uint8_t *codes) {
  v128_t values = wasm_v128_load32_zero(code + codes[0]);
  values = wasm_v128_load32_lane(code + codes[1], values, 1);
  values = wasm_v128_load32_lane(code + codes[2], values, 2);
  return wasm_v128_load32_lane(code + codes[3], values, 3);
}

template <hb_dtype dtype, bool has_offset>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t block_size, float offset, size_t begin, size_t end, void *out) {
  const v128_t addend = wasm_f32x4_splat(offset);
  const auto finish = [&](v128_t value) { return has_offset ? wasm_f32x4_add(value, addend) : value; };
  for (size_t i = begin; i < end;) {
    const uint64_t block = i / block_size, block_end = (block + 1) * block_size;
    const size_t stop = block_end < end ? size_t(block_end) : end;
    const v128_t scale = wasm_f32x4_splat(absmax[block]);
    for (; i + 8 <= stop; i += 8) {
      const v128_t first = wasm_f32x4_mul(fetch4(code, codes + i), scale), second = wasm_f32x4_mul(fetch4(code, codes + i + 4), scale);
      store8<dtype>(out, i, finish(first), finish(second));
    }
    for (; i < stop; i++) {
      const float value = code[codes[i]] * absmax[block];
      store_one({out, dtype}, i, has_offset ? value + offset : value);
    }
  }
}

template <hb_dtype dtype>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t block_size, float offset, uint64_t begin, uint64_t end, void *out) {
  if (offset == 0) decode<dtype, false>(codes, absmax, code, block_size, offset, size_t(begin), size_t(end), out);
  else decode<dtype, true>(codes, absmax, code, block_size, offset, size_t(begin), size_t(end), out);
}

}  // namespace

void dequantize_blockwise(const uint8_t *codes, const float *absmax, const float *code, uint64_t, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
                          MutableFloats out) {
  if (out.dtype == HB_FLOAT32) decode<HB_FLOAT32>(codes, absmax, code, block_size, offset, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) decode<HB_FLOAT16>(codes, absmax, code, block_size, offset, begin, end, out.data);
  else decode<HB_BFLOAT16>(codes, absmax, code, block_size, offset, begin, end, out.data);
}

}  // namespace hb::wasm
